// The inner loops that this processor can run, for the choice at start and for tests. Internal to products.
#pragma once

#include <vector>

#include "vlreid/products/products.h"
#include "vlreid/products/tile.h"

namespace vlreid {

// The fastest first.
std::vector<const TileKernel*> kernels_of_this_processor();

// multiply() with this kernel.
void multiply_with(const TileKernel& tiles, RowBlock a, const Panels& b, ColumnRange columns, float* out,
                   std::int64_t stride);

} // namespace vlreid
