#include "vlreid/retrieval/products.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>

namespace vlreid {
namespace {

at::Tensor matrix(const float* values, std::int64_t rows, std::int64_t columns) {
  return at::from_blob(const_cast<float*>(values), {rows, columns}, at::kFloat);
}

} // namespace

void inner_products(RowBlock a, RowBlock b, std::int64_t dims, float* out) {
  if (a.rows == 0 || b.rows == 0) return;
  const at::NoGradGuard no_grad;
  at::Tensor result = matrix(out, a.rows, b.rows);
  at::mm_out(result, matrix(a.values, a.rows, dims), matrix(b.values, b.rows, dims).t());
}

} // namespace vlreid
