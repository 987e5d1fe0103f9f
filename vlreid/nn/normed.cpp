#include "vlreid/nn/normed.h"

#include "vlreid/nn/layers.h"

#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>

namespace vlreid {

Normed normed(const at::Tensor& x, const NormParameters& norm, at::ScalarType type) {
  auto [value, mean, deviation] =
      at::native_layer_norm(x.to(at::kFloat), {x.size(-1)}, norm.weight.to(at::kFloat),
                            norm.bias.to(at::kFloat), kLayerNormEpsilon);
  return {value.to(type), mean, deviation};
}

std::array<at::Tensor, 3> norm_backward(const at::Tensor& gradient, const at::Tensor& x, const Normed& saved,
                                        const NormParameters& norm, std::array<bool, 3> wanted) {
  auto [of_x, of_weight, of_bias] = at::native_layer_norm_backward(
      gradient.to(at::kFloat).view(x.sizes()), x.to(at::kFloat), {x.size(-1)}, saved.mean, saved.deviation,
      norm.weight.to(at::kFloat), norm.bias.to(at::kFloat), wanted);
  return {of_x, of_weight, of_bias};
}

at::Tensor as_rows(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

} // namespace vlreid
