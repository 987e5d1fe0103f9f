// The three large products of a linear layer that learns: its values, the gradient of its input and that of
// its weight. In float32 on a CPU they run on packed products (products.h), on the threads of shared_pool(),
// where they are large enough to pay for the packing; everything else is ATen's. No autograd; thread safe.
#pragma once

#include <ATen/Tensor.h>

#include <memory>

namespace vlreid {

// Rows times one weight [out, in], which is packed once.
class WeightProduct {
public:
  // rows [M, in] -> rows W^T + bias [M, out]
  static WeightProduct forward(const at::Tensor& weight, const at::Tensor& bias, std::int64_t rows);
  // rows [M, out] -> rows W [M, in]
  static WeightProduct backward(const at::Tensor& weight, std::int64_t rows);

  // Any number of rows; `out` may be a part of a matrix's columns.
  void into(at::Tensor& out, const at::Tensor& rows) const;
  at::Tensor of(const at::Tensor& rows) const;

private:
  struct Packed;
  WeightProduct(const at::Tensor& factor, const at::Tensor& bias, std::int64_t rows);

  at::Tensor factor_;                    // [depth, columns]
  at::Tensor bias_;                      // [columns] or undefined
  std::shared_ptr<const Packed> packed_; // or null
};

// sum [A, B] += a^T b for a [M, A], b [M, B]; an undefined sum is a new one.
void add_transposed_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

} // namespace vlreid
