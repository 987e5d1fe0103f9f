// The three large products of a linear layer that learns: its values, the gradient of its input and that of
// its weight, in a type that the numbers are rounded to first. On a CPU they run on packed products
// (products.h), on the threads of shared_pool(), where they are large enough to pay for the packing and the
// processor has instructions for the type; everything else is ATen's. No autograd; thread safe.
#pragma once

#include <ATen/Tensor.h>

#include <memory>

namespace vlreid {

// Rows times one weight [out, in], which is rounded and packed once.
class WeightProduct {
public:
  // rows [M, in] -> rows W^T + bias [M, out]
  static WeightProduct forward(const at::Tensor& weight, const at::Tensor& bias, std::int64_t rows,
                               at::ScalarType type);
  // rows [M, out] -> rows W [M, in]
  static WeightProduct backward(const at::Tensor& weight, std::int64_t rows, at::ScalarType type);

  // Any number of rows, of the type or float32, as `out`, which may be a part of a matrix's columns.
  void into(at::Tensor& out, const at::Tensor& rows) const;
  // out += them; out float32 or of the type.
  void add_to(at::Tensor& out, const at::Tensor& rows) const;
  // As a new tensor of the type.
  at::Tensor of(const at::Tensor& rows) const;
  // quick_gelu of them, as a new tensor of the type; they themselves go to `hidden`, of the type.
  at::Tensor activated(const at::Tensor& rows, at::Tensor& hidden) const;
  // They times quick_gelu'(hidden), as a new tensor of the type; quick_gelu(hidden) to `activation`, if that
  // is to be made. hidden [M, columns], contiguous and of the type.
  at::Tensor through_activation(const at::Tensor& rows, const at::Tensor& hidden,
                                at::Tensor* activation) const;

private:
  struct Packed;
  bool can_activate() const;
  WeightProduct(const at::Tensor& factor, const at::Tensor& bias, std::int64_t rows, at::ScalarType type);

  at::ScalarType type_;
  std::int64_t columns_;
  at::Tensor factor_, bias_;             // [depth, columns], [columns] of the type, or undefined
  std::shared_ptr<const Packed> packed_; // or null
};

// sum [A, B] += a^T b for a [M, A], b [M, B], of the type or float32; an undefined sum is a new one, of the
// type or float32.
void add_transposed_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, at::ScalarType type);

} // namespace vlreid
