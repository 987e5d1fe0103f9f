#include "vlreid/nn/normed.h"

#include "vlreid/nn/fused.h"
#include "vlreid/nn/layers.h"
#include "vlreid/nn/matrices.h"
#include "vlreid/nn/row_ops.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/native_layer_norm_backward.h>

namespace vlreid {

namespace {

constexpr std::int64_t kRowGrain = 16;

// x, weight and bias float32 on a CPU, in one pass.
Normed normed_to_bf16(const at::Tensor& x, const NormParameters& norm) {
  const std::int64_t width = x.size(-1), rows = x.numel() / width;
  const at::Tensor from = x.contiguous(), weight = norm.weight.contiguous(), bias = norm.bias.contiguous();
  const Normed result{.value = at::empty(x.sizes(), x.options().dtype(at::kBFloat16)),
                      .mean = at::empty({rows, 1}, x.options()),
                      .deviation = at::empty({rows, 1}, x.options())};
  const float* numbers = from.const_data_ptr<float>();
  const ProductOutput out = output_of(result.value.view({rows, width}));
  auto *means = result.mean.mutable_data_ptr<float>(),
       *deviations = result.deviation.mutable_data_ptr<float>();
  for_rows(rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    layer_norm_rows(numbers + begin * width, end - begin, width, weight.const_data_ptr<float>(),
                    bias.const_data_ptr<float>(), out.from(begin, 0).narrow, means + begin,
                    deviations + begin);
  });
  return result;
}

bool is_f32_on_cpu(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat;
}

} // namespace

Normed normed(const at::Tensor& x, const NormParameters& norm, at::ScalarType type) {
  if (type == at::kBFloat16 && is_f32_on_cpu(x) && is_f32_on_cpu(norm.weight)) return normed_to_bf16(x, norm);
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
