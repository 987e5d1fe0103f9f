#pragma once

#include <vector>

#include "vlreid/products/kernel.h"
#include "vlreid/products/products.h"

namespace vlreid {

std::vector<const ProductKernel*> emulated_kernels(ProductType type);

} // namespace vlreid
