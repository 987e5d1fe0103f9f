// The small layers of CLIP and of the ReID heads as modules whose parameter and buffer names are those of the
// reference checkpoints, on plain differentiable ATen. This is the training form; `nn/packed.h` holds the
// inference form made from it.
//
// New parameters are zero: values come from a StateDict, or from whoever makes a fresh model. Not thread safe
// while training; forward() of an evaluating module may run in several threads.
#pragma once

#include <ATen/Tensor.h>
#include <cstdint>
#include <torch/nn/module.h>

namespace vlreid {

constexpr double kLayerNormEpsilon = 1e-5; // as in CLIP

struct LinearShape {
  std::int64_t in;
  std::int64_t out;
  bool has_bias = true;
};

class Linear : public torch::nn::Module {
public:
  explicit Linear(LinearShape shape);

  // x [..., in] -> [..., out]
  virtual at::Tensor forward(const at::Tensor& x);
  // What an inference form multiplies with: an adapter's share is already inside.
  virtual at::Tensor effective_weight() const { return weight; }
  // Whether forward() is the product with `weight` plus `bias` and nothing else.
  virtual bool is_plain() const { return bias.defined(); }
  LinearShape shape() const { return shape_; }

  at::Tensor weight; // [out, in]
  at::Tensor bias;   // [out], undefined without bias

private:
  LinearShape shape_;
};

// Normalises the last dimension; computed in float32 whatever the type of x, which the result has again.
class LayerNorm : public torch::nn::Module {
public:
  explicit LayerNorm(std::int64_t width);
  at::Tensor forward(const at::Tensor& x) const;

  at::Tensor weight, bias; // [width]
};

// BatchNorm1d of the neck (x [B, C]) and BatchNorm2d of the ResNet (x [B, C, H, W]): batch statistics and
// moving averages while training, the moving averages otherwise.
class BatchNorm : public torch::nn::Module {
public:
  explicit BatchNorm(std::int64_t channels);
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight, bias;              // [C]
  at::Tensor running_mean, running_var; // [C] buffers
  at::Tensor num_batches_tracked;       // int64 scalar buffer
};

struct ConvShape {
  std::int64_t in;
  std::int64_t out;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
};

// Square convolution without bias.
class Conv : public torch::nn::Module {
public:
  explicit Conv(ConvShape shape);
  at::Tensor forward(const at::Tensor& x) const;
  ConvShape shape() const { return shape_; }

  at::Tensor weight; // [out, in, kernel, kernel]

private:
  ConvShape shape_;
};

// x * sigmoid(1.702 x): the activation of the published CLIP weights.
constexpr double kQuickGeluSlope = 1.702;

} // namespace vlreid
