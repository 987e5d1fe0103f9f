// Passes of the training form between its matrix products, each over memory once. On a CPU in parts that stay
// in the cache, on LibTorch's threads; elsewhere the same arithmetic in ATen. No autograd.
#pragma once

#include <ATen/Tensor.h>
#include <cstdint>
#include <functional>

namespace vlreid {

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

// Calls body(begin, end) for ranges that cover [0, rows) on LibTorch's own threads; a second pool of threads
// would fight with them.
void for_rows(std::int64_t rows, std::int64_t grain,
              const std::function<void(std::int64_t, std::int64_t)>& body);

} // namespace vlreid
