#include "vlreid/base/memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>

namespace vlreid {
namespace {

// Whole pages of the range: all that it touches, or only those within.
enum class Edges { outside, inside };
struct PageRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

PageRange pages_of(std::uintptr_t begin, std::uintptr_t end, Edges edges) {
  constexpr std::uintptr_t kPage = 4096;
  const std::uintptr_t up = kPage - 1;
  if (edges == Edges::outside) return {begin / kPage * kPage, (end + up) / kPage * kPage};
  return {(begin + up) / kPage * kPage, end / kPage * kPage};
}

struct FileMappings {
  std::mutex mutex;
  std::map<std::uintptr_t, std::uintptr_t> ends; // by their beginnings
};

FileMappings& file_mappings() {
  static FileMappings mappings;
  return mappings;
}

} // namespace

void prefer_huge_pages([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  const auto first = reinterpret_cast<std::uintptr_t>(memory);
  const PageRange pages = pages_of(first, first + bytes, Edges::inside);
  if (pages.begin < pages.end)
    ::madvise(reinterpret_cast<void*>(pages.begin), pages.end - pages.begin, MADV_HUGEPAGE);
#endif
}

void* map_memory(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  prefer_huge_pages(memory, bytes);
  return memory;
}

void unmap_memory(void* memory, std::size_t bytes) {
  ::munmap(memory, bytes);
}

void forget_file_pages(const void* memory, std::size_t bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(memory);
  FileMappings& files = file_mappings();
  const std::lock_guard lock(files.mutex); // the mapping stays while its pages go
  const auto after = files.ends.upper_bound(first);
  if (after == files.ends.begin()) return;
  const auto [begin, end] = *std::prev(after);
  if (first >= end || bytes > end - first) return;
  const PageRange pages = pages_of(first, first + bytes, Edges::outside);
  ::madvise(reinterpret_cast<void*>(pages.begin), pages.end - pages.begin, MADV_DONTNEED);
}

void add_file_mapping(const void* memory, std::size_t bytes) {
  const auto first = reinterpret_cast<std::uintptr_t>(memory);
  const std::lock_guard lock(file_mappings().mutex);
  file_mappings().ends.emplace(first, first + bytes);
}

void remove_file_mapping(const void* memory) {
  const std::lock_guard lock(file_mappings().mutex);
  file_mappings().ends.erase(reinterpret_cast<std::uintptr_t>(memory));
}

} // namespace vlreid
