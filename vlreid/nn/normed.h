// LayerNorm and its gradients over rows, as the fused operators of a block need them: the normalised values
// can be made again, and only what is asked for is computed. Any device; thread safe.
#pragma once

#include <ATen/Tensor.h>

#include <array>

namespace vlreid {

struct NormParameters {
  at::Tensor weight, bias; // [D]
};

struct Normed {
  at::Tensor value;           // as x, in the type of the products
  at::Tensor mean, deviation; // of each row; 1 / standard deviation
};

// x [..., D]; computed in float32.
Normed normed(const at::Tensor& x, const NormParameters& norm, at::ScalarType type);

// Gradients of x (float32), weight and bias, each where it is asked for.
std::array<at::Tensor, 3> norm_backward(const at::Tensor& gradient, const at::Tensor& x, const Normed& saved,
                                        const NormParameters& norm, std::array<bool, 3> wanted);

// x [..., D] -> [M, D]
at::Tensor as_rows(const at::Tensor& x);

} // namespace vlreid
