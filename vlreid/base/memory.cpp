#include "vlreid/base/memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib> // defines __GLIBC__
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace vlreid {

void map_large_blocks() {
#ifdef __GLIBC__
  constexpr int kBytes = 8 << 20;
  mallopt(M_MMAP_THRESHOLD, kBytes);
#endif
}

void prefer_huge_pages([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr std::uintptr_t kPage = 4096;
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + kPage - 1) / kPage * kPage;
  const std::uintptr_t end = (begin + bytes) / kPage * kPage;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#endif
}

} // namespace vlreid
