// CLIP's ModifiedResNet: three 3x3 stem convolutions and an average pool, bottleneck blocks whose strides are
// average pools, and attention pooling over the last map. In ReID layer4 keeps the resolution
// (spec/reference-behaviour.md, section 1).
#pragma once

#include "vlreid/encoders/image_encoder.h"

#include <array>

namespace vlreid {

struct ResnetShape {
  std::int64_t width; // of the stem: 64 for RN50
  std::array<std::int64_t, 4> layers;
  std::int64_t embed; // E
  Grid grid;          // of the last map
  std::int64_t layer4_stride = 1;
  std::int64_t feature_width() const { return 32 * width; }
};

class Bottleneck : public torch::nn::Module {
public:
  Bottleneck(std::int64_t in, std::int64_t planes, std::int64_t stride, bool has_downsample);
  at::Tensor forward(const at::Tensor& x);

  std::shared_ptr<Conv> conv1, conv2, conv3,
      downsample_conv; // downsample_conv: child `downsample.0`, may be null
  std::shared_ptr<BatchNorm> bn1, bn2, bn3, downsample_bn; // downsample_bn: child `downsample.1`
  std::int64_t stride;
};

// Multi-head attention over the map; position 0 is its mean.
class AttentionPool : public torch::nn::Module {
public:
  AttentionPool(std::int64_t width, std::int64_t embed, Grid grid);
  // map [B, C, h, w] -> [B, 1 + h w, E], or only position 0 as [B, 1, E].
  at::Tensor forward(const at::Tensor& map, bool only_first);

  at::Tensor positional_embedding; // [1 + h w, C]
  std::shared_ptr<Linear> k_proj, q_proj, v_proj, c_proj;
};

struct ResnetMaps {
  at::Tensor layer3; // [B, 16 width, h, w]
  at::Tensor layer4; // [B, 32 width, h, w]
};

class ModifiedResnet : public ImageEncoder {
public:
  explicit ModifiedResnet(const ResnetShape& shape);

  ImageFeatures forward(const at::Tensor& images, const at::Tensor& class_offset) override;
  ResnetMaps forward_maps(const at::Tensor& images);
  std::unique_ptr<ImageInference> make_inference(InferenceType type, const PixelStatistics& pixels) override;

  std::int64_t feature_width() const override { return shape_.feature_width(); }
  std::int64_t embed_width() const override { return shape_.embed; }
  Grid grid() const override { return shape_.grid; }
  bool has_class_token() const override { return false; }
  const ResnetShape& shape() const { return shape_; }

  std::shared_ptr<Conv> conv1, conv2, conv3;
  std::shared_ptr<BatchNorm> bn1, bn2, bn3;
  std::array<std::vector<std::shared_ptr<Bottleneck>>, 4> layers; // children `layer1.0`, ...
  std::shared_ptr<AttentionPool> attnpool;

private:
  ResnetShape shape_;
};

} // namespace vlreid
