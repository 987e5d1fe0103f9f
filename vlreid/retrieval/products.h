// The one matrix product of retrieval: inner products of all rows of two row-major matrices, through
// LibTorch.
#pragma once

#include <cstdint>

namespace vlreid {

struct RowBlock {
  const float* values = nullptr; // [rows, dims]
  std::int64_t rows = 0;
};

// out [a.rows, b.rows] = a * b^T. Inside for_each_block() it runs on the calling thread alone.
void inner_products(RowBlock a, RowBlock b, std::int64_t dims, float* out);

} // namespace vlreid
