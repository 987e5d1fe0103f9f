// The kernels that this processor can run, for the choice at start and for tests. Internal to products.
#pragma once

#include <vector>

#include "vlreid/products/kernel.h"
#include "vlreid/products/products.h"

namespace vlreid {

// The fastest first; the last one runs on every processor of the architecture.
std::vector<const ProductKernel*> kernels_of_this_processor(ProductType type);

} // namespace vlreid
