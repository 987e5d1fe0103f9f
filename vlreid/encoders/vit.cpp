#include "vlreid/encoders/vit.h"

#include "vlreid/base/error.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/tensor/shape.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

namespace vlreid {

VisionTransformer::VisionTransformer(const VitShape& shape) : shape_(shape) {
  const std::int64_t n = shape.visual_prompts;
  if (n > 0) VPT = register_parameter("VPT", at::zeros({n, shape.width}));
  class_embedding = register_parameter("class_embedding", at::zeros({shape.width}));
  positional_embedding =
      register_parameter("positional_embedding", at::zeros({1 + shape.grid.count(), shape.width}));
  proj = register_parameter("proj", at::zeros({shape.width, shape.embed}));
  conv1 = register_module(
      "conv1", std::make_shared<Conv>(
                   ConvShape{.in = 3, .out = shape.width, .kernel = shape.patch, .stride = shape.stride}));
  ln_pre = register_module("ln_pre", std::make_shared<LayerNorm>(shape.width));
  blocks = register_module(
      "transformer",
      std::make_shared<Transformer>(TransformerShape{
          .width = shape.width, .layers = shape.layers, .heads = shape.heads, .visual_prompts = n}));
  ln_post = register_module("ln_post", std::make_shared<LayerNorm>(shape.width));
}

at::Tensor positions_for(const at::Tensor& table, const VitShape& shape, Grid grid) {
  return resize_positions(table, grid, PositionResize::bicubic, shape.grid);
}

at::Tensor VisionTransformer::embed(const at::Tensor& images, const at::Tensor& class_offset) {
  const at::Tensor map = conv1->forward(images); // [B, D, h, w]
  const Grid grid{map.size(2), map.size(3)};
  const at::Tensor patches = map.flatten(2).transpose(1, 2); // [B, P, D]
  if (!accepts_other_sizes_)
    check_shape(patches, {"B", shape_.grid.count(), shape_.width}, "patches of the images");
  at::Tensor first = class_embedding.expand({patches.size(0), 1, shape_.width});
  if (class_offset.defined()) first = first + class_offset.unsqueeze(1);
  const at::Tensor positions =
      accepts_other_sizes_ ? positions_for(positional_embedding, shape_, grid) : positional_embedding;
  at::Tensor x = at::cat({first, patches}, 1) + positions; // [B, 1 + P, D] class token first
  if (VPT.defined()) x = at::cat({x, VPT.expand({x.size(0), VPT.size(0), VPT.size(1)})}, 1);
  return ln_pre->forward(x);
}

at::Tensor VisionTransformer::with_prompt(const at::Tensor& x, const ResidualBlock& block) const {
  if (!block.VPT_shallow.defined()) return x;
  return with_tokens_replaced(x, x.size(1) - shape_.visual_prompts, block.VPT_shallow);
}

at::Tensor VisionTransformer::before_last_block(const at::Tensor& images, const at::Tensor& class_offset) {
  at::Tensor x = embed(images, class_offset);
  for (std::int64_t i = 0; i + 1 < blocks->depth(); ++i)
    x = blocks->block(i).forward(with_prompt(x, blocks->block(i)));
  return with_prompt(x, blocks->block(blocks->depth() - 1));
}

ImageFeatures VisionTransformer::forward(const at::Tensor& images, const at::Tensor& class_offset) {
  const at::Tensor x = before_last_block(images, class_offset);
  ResidualBlock& block = blocks->block(blocks->depth() - 1);
  const at::Tensor first = x.slice(1, 0, 1); // [B, 1, D]
  const at::Tensor feature = ln_post->forward(block.attend_to(first, block.keys_values(x)).select(1, 0));
  return {.last = first.select(1, 0), .feature = feature, .proj = at::matmul(feature, proj)};
}

TokenFeatures VisionTransformer::forward_tokens(const at::Tensor& images, const at::Tensor& class_offset) {
  const at::Tensor last = before_last_block(images, class_offset);
  const at::Tensor feature = ln_post->forward(blocks->block(blocks->depth() - 1).forward(last));
  return {.last = last, .feature = feature, .proj = at::matmul(feature, proj)};
}

std::shared_ptr<ImageEncoder> make_vit(const StateDict& state, const ImageEncoderOptions& options) {
  const at::Tensor* conv = state.find("conv1.weight");
  const at::Tensor* projection = state.find("proj");
  const std::int64_t layers = count_blocks(state, "transformer.resblocks.");
  if (conv == nullptr || projection == nullptr || layers == 0 || conv->dim() != 4 || projection->dim() != 2)
    return nullptr;
  const std::int64_t width = conv->size(0);
  VLREID_REQUIRE(width % kHeadWidth == 0 && width > 0, ErrorKind::data, "conv1.weight",
                 "a width of " + std::to_string(width), "a multiple of 64, the width of CLIP's heads");
  const at::Tensor* prompt = state.find("VPT");
  const std::int64_t patch = conv->size(2), stride = options.stride > 0 ? options.stride : patch;
  return std::make_shared<VisionTransformer>(
      VitShape{.width = width,
               .layers = layers,
               .heads = width / kHeadWidth,
               .patch = patch,
               .stride = stride,
               .embed = projection->size(1),
               .grid = patch_grid(options.image, patch, stride),
               .visual_prompts = prompt == nullptr ? 0 : prompt->size(0)});
}

} // namespace vlreid
