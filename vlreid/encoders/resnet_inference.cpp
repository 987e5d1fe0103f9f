#include "vlreid/encoders/packed_conv.h"
#include "vlreid/encoders/resnet_forms.h"
#include "vlreid/nn/one_query_attention.h"
#include "vlreid/nn/product_type.h"
#include "vlreid/tensor/shape.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/rsqrt.h>
#include <c10/core/GradMode.h>
#include <cstring>

namespace vlreid {
namespace {

constexpr double kBatchNormEpsilon = 1e-5;

using Kind = Epilogue::Kind;

PackedConv fold(const Conv& conv, const BatchNorm& norm, ProductType type) {
  const FoldedWeights folded = fold_batch_norm(conv, norm);
  return {folded.weight, folded.bias, conv.shape().stride, type};
}

// The maps of a pass: the one that blocks work on, and what they need for it.
struct Maps {
  FeatureMap x, inner, outer, halved, shortcut;
};

struct FoldedBlock {
  PackedConv conv1, conv2, conv3;
  std::optional<PackedConv> downsample;
  bool halves = false;

  void run(Maps& maps) const {
    conv1.forward(maps.x, Kind::relu, maps.inner);
    conv2.forward(maps.inner, Kind::relu, maps.outer);
    if (halves) {
      halve(maps.outer, maps.inner);
      std::swap(maps.inner, maps.outer);
    }
    if (!downsample) return conv3.forward(maps.outer, Kind::add_relu, maps.x);
    if (halves) halve(maps.x, maps.halved);
    downsample->forward(halves ? maps.halved : maps.x, Kind::store, maps.shortcut);
    conv3.forward(maps.outer, Kind::add_relu, maps.shortcut);
    std::swap(maps.x, maps.shortcut);
  }
};

// On a CPU.
class PackedResnet : public ImageInference {
public:
  PackedResnet(ModifiedResnet& net, InferenceType type, const PixelStatistics& pixels)
      : pixels_(pixels), feature_width_(net.feature_width()) {
    const ProductType product = product_type_of(type);
    // Three channels and the first maps, in float32 beside 8-bit numbers.
    const ProductType stem = product == ProductType::int8 ? ProductType::f32 : product;
    stem_ = {fold(*net.conv1, *net.bn1, stem), fold(*net.conv2, *net.bn2, stem),
             fold(*net.conv3, *net.bn3, stem)};
    has_narrow_maps_ = product == ProductType::bf16 && reads_any_numbers(product);
    for (std::size_t stage = 0; stage < 4; ++stage)
      for (const auto& block : net.layers[stage])
        stages_[stage].push_back(fold_block(*block, product));
    const AttentionPool& pool = *net.attnpool;
    positions_ = pool.positional_embedding.detach().to(at::kFloat, false, /*copy=*/true).contiguous();
    pool_ = {{.query_weight = pool.q_proj->weight,
              .query_bias = pool.q_proj->bias,
              .key_weight = pool.k_proj->weight,
              .value_weight = pool.v_proj->weight,
              .value_bias = pool.v_proj->bias},
             feature_width_ / kHeadWidth,
             attention_type(product)};
    const bool is_narrow = attention_type(product) == ProductType::bf16;
    out_ = {pool.c_proj->weight, pool.c_proj->bias, {.type = is_narrow ? at::kBFloat16 : at::kFloat}};
  }

  ImageFeatures forward(const at::Tensor& images, const at::Tensor& class_offset) const override {
    VLREID_ASSERT(!class_offset.defined());
    const c10::NoGradGuard no_grad;
    const auto maps = store_.borrow();
    maps->inner.is_narrow = maps->outer.is_narrow = has_narrow_maps_;
    maps->x.is_narrow = maps->shortcut.is_narrow = has_narrow_maps_;
    read_images(images, maps->inner);
    stem_[0].forward(maps->inner, Kind::relu, maps->outer);
    stem_[1].forward(maps->outer, Kind::relu, maps->inner);
    stem_[2].forward(maps->inner, Kind::relu, maps->outer);
    halve(maps->outer, maps->x);
    ImageFeatures features;
    for (std::size_t stage = 0; stage < 4; ++stage) {
      for (const FoldedBlock& block : stages_[stage])
        block.run(*maps);
      if (stage == 2) features.last = mean_of(maps->x);
    }
    features.feature = mean_of(maps->x);
    features.proj = pool(maps->x, features.feature);
    return features;
  }

private:
  void read_images(const at::Tensor& images, FeatureMap& out) const {
    const Grid size = pixels_of(images);
    out.resize(images.size(0), size.height, size.width, 3);
    if (are_bytes(images))
      normalise(images.contiguous(), pixels_, out);
    else
      channels_last(images.to(at::kFloat).contiguous(), out);
  }

  static FoldedBlock fold_block(const Bottleneck& block, ProductType type) {
    FoldedBlock folded{.conv1 = fold(*block.conv1, *block.bn1, type),
                       .conv2 = fold(*block.conv2, *block.bn2, type),
                       .conv3 = fold(*block.conv3, *block.bn3, type),
                       .downsample = {},
                       .halves = block.stride > 1};
    VLREID_ASSERT(block.stride <= 2);
    if (block.downsample_conv) folded.downsample = fold(*block.downsample_conv, *block.downsample_bn, type);
    return folded;
  }

  static at::Tensor mean_of(const FeatureMap& map) {
    at::Tensor mean = at::empty({map.batch, map.channels}, at::kFloat);
    mean_of_pixels(map, mean.mutable_data_ptr<float>());
    return mean;
  }

  // Position 0 of the attention pool: the mean of the map asks, mean and cells answer.
  at::Tensor pool(const FeatureMap& map, const at::Tensor& means) const {
    const std::int64_t cells = map.height * map.width, width = feature_width_;
    VLREID_ASSERT(positions_.size(0) == 1 + cells);
    const at::Tensor askers = means + positions_[0];
    const auto sequence = [&](std::int64_t image, float* rows) {
      const float* positions = positions_.const_data_ptr<float>();
      std::memcpy(rows, askers.const_data_ptr<float>() + image * width, width * sizeof(float));
      map.with_values([&](const auto* values) {
        const auto* from = values + image * cells * width;
        for (std::int64_t i = 0; i < cells * width; ++i)
          rows[width + i] = static_cast<float>(from[i]) + positions[width + i];
      });
    };
    at::Tensor attended = at::empty({map.batch, width}, at::kFloat);
    pool_.attend(askers.const_data_ptr<float>(), map.batch, 1 + cells, sequence,
                 attended.mutable_data_ptr<float>());
    return out_.forward(attended);
  }

  PixelStatistics pixels_;
  std::int64_t feature_width_;
  bool has_narrow_maps_ = false; // between bfloat16 products
  std::array<PackedConv, 3> stem_;
  std::array<std::vector<FoldedBlock>, 4> stages_;
  at::Tensor positions_; // [N, C]
  OneQueryAttention pool_;
  PackedLinear out_;
  mutable ScratchStore<Maps> store_;
};

} // namespace

FoldedWeights fold_batch_norm(const Conv& conv, const BatchNorm& norm) {
  const at::Tensor scale =
      norm.weight.to(at::kDouble) * at::rsqrt(norm.running_var.to(at::kDouble) + kBatchNormEpsilon); // [out]
  return {.weight = conv.weight.to(at::kDouble) * scale.view({-1, 1, 1, 1}),
          .bias = norm.bias.to(at::kDouble) - norm.running_mean.to(at::kDouble) * scale};
}

std::unique_ptr<ImageInference> ModifiedResnet::make_inference(InferenceType type,
                                                               const PixelStatistics& pixels) {
  const c10::NoGradGuard no_grad;
  if (conv1->weight.device().is_cpu()) return std::make_unique<PackedResnet>(*this, type, pixels);
  return aten_resnet(*this, type, pixels);
}

} // namespace vlreid
