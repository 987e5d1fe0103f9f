// Passes between the matrix products of an inference form, each over memory once: residual + bias +
// LayerNorm, and bias + QuickGELU. On a CPU these are our own loops, compiled for several instruction sets
// and chosen at run time, on LibTorch's threads; elsewhere the same arithmetic in ATen. No autograd. Sums and
// statistics are float32 whatever the type of the activations.
#pragma once

#include <ATen/Tensor.h>
#include <cstdint>
#include <functional>

namespace vlreid {

struct NormWeights {
  at::Tensor weight, bias; // [D] float32
};

// x [M, D] float32 contiguous: x += branch + branch_bias in place (both may be undefined), then LayerNorm(x)
// as a new tensor of type `out`. branch [M, D] in any type, branch_bias [D] float32.
at::Tensor add_layer_norm(at::Tensor& x, const at::Tensor& branch, const at::Tensor& branch_bias,
                          const NormWeights& norm, at::ScalarType out);

// x [M, C] contiguous, bias [C] float32: quick_gelu(x + bias) in place.
void bias_quick_gelu_(at::Tensor& x, const at::Tensor& bias);

// The activation of the training form: quick_gelu(x) as a new tensor, with the rounding of the references'
// own operators, which go over parts that stay in the cache. x contiguous.
at::Tensor quick_gelu_of(const at::Tensor& x);
// gradient *= quick_gelu'(x) in place, and the activation itself again where it is asked for (else
// undefined), likewise. Both contiguous, of one type.
at::Tensor quick_gelu_backward_(at::Tensor& gradient, const at::Tensor& x, bool wants_value);

// Dropout whose choices follow from seed and position alone, so that they can be made again: x * kept /
// (1 - probability) as a new tensor. x [M, C] contiguous float32 or bfloat16 on a CPU.
struct DropoutKey {
  std::uint64_t seed;
  double probability; // of a zero, below 1
};
at::Tensor keyed_dropout(const at::Tensor& x, DropoutKey key);

// x [M, C] float32 contiguous on a CPU, each row on its own scale: x = scales * (values - zero), with values
// in [zero - half_range, zero + half_range] and zero = half_range + 1.
struct QuantisedRows {
  at::Tensor values; // [M, C] uint8
  at::Tensor scales; // [M, 1] float32
};
QuantisedRows quantise_rows(const at::Tensor& x, int half_range);

// Calls body(begin, end) for ranges that cover [0, rows) on LibTorch's own threads; a second pool of threads
// would fight with them.
void for_rows(std::int64_t rows, std::int64_t grain,
              const std::function<void(std::int64_t, std::int64_t)>& body);

} // namespace vlreid
