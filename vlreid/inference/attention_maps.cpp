#include "vlreid/inference/attention_maps.h"

#include "vlreid/encoders/vit.h"
#include "vlreid/image/decode.h"
#include "vlreid/tensor/span.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <cmath>

namespace vlreid {
namespace {

// A model in evaluation mode (no dropout of LoRA) for as long as this lives; every part then goes back to its
// own.
class EvaluationMode {
public:
  explicit EvaluationMode(torch::nn::Module& model) : model_(model), was_training_(model.is_training()) {
    for (const auto& part : model.modules(/*include_self=*/false))
      parts_.emplace_back(part, part->is_training());
    model_.eval();
  }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;
  ~EvaluationMode() {
    model_.train(was_training_);
    for (const auto& [part, was_training] : parts_) // parents before their children
      part->train(was_training);
  }

private:
  torch::nn::Module& model_;
  bool was_training_;
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> parts_;
};

at::Tensor numbers_of(std::span<const SideInformation> side, int SideInformation::*field) {
  if (side.empty()) return {};
  std::vector<std::int64_t> values;
  for (const SideInformation& one : side)
    values.push_back(one.*field);
  return tensor_of<std::int64_t>(values, {static_cast<std::int64_t>(values.size())});
}

at::Tensor load_images(const TestTransformOptions& options, std::span<const std::string> paths) {
  TestTransform transform(options);
  at::Tensor images = at::empty({static_cast<std::int64_t>(paths.size()), 3, options.height, options.width});
  std::vector<std::uint8_t> bytes(transform.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    transform.plain(load_image(paths[i]), bytes);
    transform.normalise(bytes, {images.mutable_data_ptr<float>() + i * transform.size(), transform.size()});
  }
  return images;
}

} // namespace

std::optional<at::Tensor> class_attention(ReidModel& model, const at::Tensor& images,
                                          const at::Tensor& cameras, const at::Tensor& views) {
  auto* encoder = dynamic_cast<VisionTransformer*>(&model.image_encoder());
  if (encoder == nullptr) return std::nullopt;
  const c10::NoGradGuard no_grad;
  const EvaluationMode evaluation(model);
  const at::Tensor offset = model.class_offset(cameras, views, images.size(0));
  const at::Tensor last =
      encoder->forward_tokens(images.to(encoder->class_embedding.device()), offset).last; // [B, N, D]
  const ResidualBlock& block = encoder->blocks->block(encoder->blocks->depth() - 1);
  const at::Tensor normed = block.ln_1->forward(last);
  const at::Tensor query = block.attn->project_queries(normed.slice(1, 0, 1)); // [B, h, 1, d]
  const at::Tensor keys = block.attn->project_context(normed).keys;            // [B, h, N, d]
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(-1)));
  const at::Tensor attention =
      at::softmax(at::matmul(query, keys.transpose(2, 3)) * scale, -1).mean(1); // [B, 1, N]
  const Grid grid = encoder->grid();
  return attention.slice(2, 1, 1 + grid.count())
      .reshape({-1, grid.height, grid.width})
      .contiguous()
      .cpu()
      .to(at::kFloat);
}

std::vector<PatchMap> attention_maps(ReidModel& model, const TestTransformOptions& transform,
                                     std::span<const std::string> paths,
                                     std::span<const SideInformation> side) {
  if (paths.empty()) return {};
  const auto all =
      class_attention(model, load_images(transform, paths), numbers_of(side, &SideInformation::camera),
                      numbers_of(side, &SideInformation::view));
  if (!all) return {};
  std::vector<PatchMap> maps;
  const std::int64_t patches = all->size(1) * all->size(2);
  const float* weights = all->const_data_ptr<float>();
  for (std::int64_t i = 0; i < all->size(0); ++i)
    maps.push_back({.height = static_cast<int>(all->size(1)),
                    .width = static_cast<int>(all->size(2)),
                    .weights = {weights + i * patches, weights + (i + 1) * patches}});
  return maps;
}

} // namespace vlreid
