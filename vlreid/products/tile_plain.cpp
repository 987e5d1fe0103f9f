#include "vlreid/products/tile.h"

namespace vlreid {

// What every processor of the architecture has: 4 floats a register.
const TileKernel& plain_tiles() {
  static constexpr TileKernel kKernel = Tiles<4>::kernel<2, 1>("plain");
  return kKernel;
}

} // namespace vlreid
