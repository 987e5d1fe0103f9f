#include "vlreid/nn/layers.h"

#include "vlreid/tensor/untouched_zeros.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

namespace vlreid {
namespace {

constexpr double kBatchNormMomentum = 0.1;
constexpr double kBatchNormEpsilon = 1e-5;

} // namespace

Linear::Linear(LinearShape shape) : shape_(shape) {
  weight = register_parameter("weight", untouched_zeros({shape.out, shape.in}));
  if (shape.has_bias) bias = register_parameter("bias", at::zeros({shape.out}));
}

at::Tensor Linear::forward(const at::Tensor& x) {
  return at::linear(x, weight, bias);
}

LayerNorm::LayerNorm(std::int64_t width) {
  weight = register_parameter("weight", at::ones({width}));
  bias = register_parameter("bias", at::zeros({width}));
}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  const at::Tensor wide = x.to(at::kFloat);
  return at::layer_norm(wide, {weight.size(0)}, weight.to(at::kFloat), bias.to(at::kFloat), kLayerNormEpsilon)
      .to(x.scalar_type());
}

BatchNorm::BatchNorm(std::int64_t channels) {
  weight = register_parameter("weight", at::ones({channels}));
  bias = register_parameter("bias", at::zeros({channels}));
  running_mean = register_buffer("running_mean", at::zeros({channels}));
  running_var = register_buffer("running_var", at::ones({channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
}

at::Tensor BatchNorm::forward(const at::Tensor& x) {
  if (is_training()) num_batches_tracked.add_(1);
  return at::batch_norm(x, weight, bias, running_mean, running_var, is_training(), kBatchNormMomentum,
                        kBatchNormEpsilon,
                        /*cudnn_enabled=*/true);
}

Conv::Conv(ConvShape shape) : shape_(shape) {
  weight = register_parameter("weight", untouched_zeros({shape.out, shape.in, shape.kernel, shape.kernel}));
}

at::Tensor Conv::forward(const at::Tensor& x) const {
  return at::conv2d(x, weight, {}, {shape_.stride, shape_.stride}, {shape_.padding, shape_.padding});
}

} // namespace vlreid
