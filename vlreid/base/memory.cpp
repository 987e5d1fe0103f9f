#include "vlreid/base/memory.h"

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

} // namespace vlreid
