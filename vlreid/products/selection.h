// What panels and products share. Internal to products.
#pragma once

#include <vector>

#include "vlreid/products/kernel.h"
#include "vlreid/products/products.h"

namespace vlreid {

const ProductKernel& fastest_kernel(ProductType type);

// Of a row of A or B.
std::int64_t lines_of(const ProductKernel& kernel, std::int64_t dims);

// Rows of `numbers` as floats, one after the other.
void copy_rows(const Numbers& numbers, std::int64_t rows, std::int64_t dims, std::vector<float>& floats);
// For a kernel that packs_any.
PackArguments pack_arguments(const Numbers& numbers);

// x = upper + lower, each a bfloat16; the order in which a row of one side has them three times.
enum class SplitOrder { upper_upper_lower, upper_lower_upper };
void split_row(const float* row, std::int64_t dims, SplitOrder order, std::vector<float>& parts);

} // namespace vlreid
