#include "vlreid/encoders/resnet_forms.h"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

namespace vlreid {
namespace {

// A convolution and its BatchNorm in one, channels last.
struct FoldedConv {
  at::Tensor weight, bias;
  std::int64_t stride = 1;
  std::int64_t padding = 0;

  at::Tensor forward(const at::Tensor& x) const {
    return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding});
  }
};

FoldedConv fold(const Conv& conv, const BatchNorm& norm, at::ScalarType type) {
  const FoldedWeights folded = fold_batch_norm(conv, norm);
  return {.weight = folded.weight.to(type).contiguous(at::MemoryFormat::ChannelsLast),
          .bias = folded.bias.to(type),
          .stride = conv.shape().stride,
          .padding = conv.shape().padding};
}

struct FoldedBlock {
  FoldedConv conv1, conv2, conv3;
  std::optional<FoldedConv> downsample;
  std::int64_t stride;

  at::Tensor forward(const at::Tensor& x) const {
    at::Tensor y = conv2.forward(conv1.forward(x).relu_()).relu_();
    if (stride > 1) y = at::avg_pool2d(y, {stride, stride});
    y = conv3.forward(y);
    if (!downsample) return y.add_(x).relu_();
    return y.add_(downsample->forward(stride > 1 ? at::avg_pool2d(x, {stride, stride}) : x)).relu_();
  }
};

class AtenResnet : public ImageInference {
public:
  AtenResnet(ModifiedResnet& net, InferenceType type, const PixelStatistics& pixels)
      : type_(type.type), feature_width_(net.feature_width()) {
    const at::Device device = net.conv1->weight.device();
    mean_ = at::tensor(pixels.mean).view({3, 1, 1}).to(device);
    std_ = at::tensor(pixels.std).view({3, 1, 1}).to(device);
    stem_ = {fold(*net.conv1, *net.bn1, type_), fold(*net.conv2, *net.bn2, type_),
             fold(*net.conv3, *net.bn3, type_)};
    for (std::size_t stage = 0; stage < 4; ++stage)
      for (const auto& block : net.layers[stage])
        stages_[stage].push_back(fold_block(*block));
    const AttentionPool& pool = *net.attnpool;
    positions_ = pool.positional_embedding.detach().to(type_, false, /*copy=*/true);
    query_ = {pool.q_proj->weight, pool.q_proj->bias, type};
    key_ = {pool.k_proj->weight, pool.k_proj->bias, type};
    value_ = {pool.v_proj->weight, pool.v_proj->bias, type};
    out_ = {pool.c_proj->weight, pool.c_proj->bias, type};
  }

  ImageFeatures forward(const at::Tensor& images, const at::Tensor& class_offset) const override {
    VLREID_ASSERT(!class_offset.defined());
    const c10::NoGradGuard no_grad;
    at::Tensor x = planes_of(images).to(type_).contiguous(at::MemoryFormat::ChannelsLast);
    for (const FoldedConv& conv : stem_)
      x = conv.forward(x).relu_();
    x = at::avg_pool2d(x, {2, 2});
    at::Tensor layer3;
    for (std::size_t stage = 0; stage < 4; ++stage) {
      for (const FoldedBlock& block : stages_[stage])
        x = block.forward(x);
      if (stage == 2) layer3 = x.to(at::kFloat).mean({2, 3});
    }
    return {.last = layer3, .feature = x.to(at::kFloat).mean({2, 3}), .proj = pool(x)};
  }

private:
  // [B, 3, H, W], normalised
  at::Tensor planes_of(const at::Tensor& images) const {
    pixels_of(images); // checks the shape
    return are_bytes(images) ? (images.permute({0, 3, 1, 2}).to(at::kFloat) / 255 - mean_) / std_ : images;
  }

  FoldedBlock fold_block(const Bottleneck& block) const {
    FoldedBlock folded{.conv1 = fold(*block.conv1, *block.bn1, type_),
                       .conv2 = fold(*block.conv2, *block.bn2, type_),
                       .conv3 = fold(*block.conv3, *block.bn3, type_),
                       .downsample = {},
                       .stride = block.stride};
    if (block.downsample_conv) folded.downsample = fold(*block.downsample_conv, *block.downsample_bn, type_);
    return folded;
  }

  // Position 0 of the attention pool: the mean of the map asks, mean and cells answer.
  at::Tensor pool(const at::Tensor& map) const {
    const std::int64_t batch = map.size(0), heads = feature_width_ / kHeadWidth;
    const at::Tensor cells = map.flatten(2).transpose(1, 2);                          // [B, h w, C]
    const at::Tensor mean = cells.to(at::kFloat).mean(1, /*keepdim=*/true).to(type_); // [B, 1, C]
    const at::Tensor x = (at::cat({mean, cells}, 1) + positions_).contiguous();       // [B, N, C]
    const auto split = [&](const at::Tensor& y) {
      return y.view({batch, -1, heads, kHeadWidth}).transpose(1, 2);
    };
    const at::Tensor rows = x.view({-1, feature_width_});
    const at::Tensor attended = attend(split(query_.forward(x.select(1, 0).contiguous())),
                                       {split(key_.forward(rows)), split(value_.forward(rows))}, {});
    return out_.forward(attended.reshape({batch, feature_width_})).to(at::kFloat);
  }

  at::ScalarType type_;
  std::int64_t feature_width_;
  std::array<FoldedConv, 3> stem_;
  std::array<std::vector<FoldedBlock>, 4> stages_;
  at::Tensor mean_, std_; // [3, 1, 1]
  at::Tensor positions_;  // [N, C]
  PackedLinear query_, key_, value_, out_;
};

} // namespace

std::unique_ptr<ImageInference> aten_resnet(ModifiedResnet& net, InferenceType type,
                                            const PixelStatistics& pixels) {
  return std::make_unique<AtenResnet>(net, type, pixels);
}

} // namespace vlreid
