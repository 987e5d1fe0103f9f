#include "vlreid/products/tile.h"

namespace vlreid {

// 12 sums, 2 registers of B and one of A: 15 of 16.
const TileKernel& avx2_tiles() {
  static constexpr TileKernel kKernel = Tiles<8>::kernel<6, 1>("avx2");
  return kKernel;
}

} // namespace vlreid
