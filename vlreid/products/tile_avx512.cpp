#include "vlreid/products/tile.h"

namespace vlreid {

// 28 sums and 2 registers of B; A comes as an operand from memory.
const TileKernel& avx512_tiles() {
  static constexpr TileKernel kKernel = Tiles<16>::kernel<14, 2>("avx512");
  return kKernel;
}

} // namespace vlreid
