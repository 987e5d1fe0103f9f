#include "vlreid/encoders/resnet.h"

#include "vlreid/base/error.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/tensor/shape.h"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

namespace vlreid {
namespace {

std::shared_ptr<Conv> conv3x3(std::int64_t in, std::int64_t out, std::int64_t stride = 1) {
  return std::make_shared<Conv>(ConvShape{.in = in, .out = out, .kernel = 3, .stride = stride, .padding = 1});
}

at::Tensor pooled(const at::Tensor& x, std::int64_t stride) {
  return stride > 1 ? at::avg_pool2d(x, {stride, stride}) : x;
}

// Size of the last map: the first convolution rounds up, every pool down.
Grid map_size(Grid image, std::int64_t layer4_stride) {
  const auto side = [&](std::int64_t pixels) { return (pixels + 1) / 2 / 2 / 2 / 2 / layer4_stride; };
  const Grid map{side(image.height), side(image.width)};
  VLREID_REQUIRE(map.height > 0 && map.width > 0, ErrorKind::config, "image size",
                 std::to_string(image.height) + "x" + std::to_string(image.width),
                 "at least 32 pixels each way");
  return map;
}

} // namespace

Bottleneck::Bottleneck(std::int64_t in, std::int64_t planes, std::int64_t stride_, bool has_downsample)
    : stride(stride_) {
  conv1 = register_module("conv1", std::make_shared<Conv>(ConvShape{.in = in, .out = planes}));
  bn1 = register_module("bn1", std::make_shared<BatchNorm>(planes));
  conv2 = register_module("conv2", conv3x3(planes, planes));
  bn2 = register_module("bn2", std::make_shared<BatchNorm>(planes));
  conv3 = register_module("conv3", std::make_shared<Conv>(ConvShape{.in = planes, .out = 4 * planes}));
  bn3 = register_module("bn3", std::make_shared<BatchNorm>(4 * planes));
  if (!has_downsample) return;
  const auto downsample = register_module("downsample", std::make_shared<torch::nn::Module>());
  downsample_conv =
      downsample->register_module("0", std::make_shared<Conv>(ConvShape{.in = in, .out = 4 * planes}));
  downsample_bn = downsample->register_module("1", std::make_shared<BatchNorm>(4 * planes));
}

at::Tensor Bottleneck::forward(const at::Tensor& x) {
  const at::Tensor a = bn1->forward(conv1->forward(x)).relu();
  const at::Tensor b = pooled(bn2->forward(conv2->forward(a)).relu(), stride);
  const at::Tensor c = bn3->forward(conv3->forward(b));
  const at::Tensor shortcut =
      downsample_conv ? downsample_bn->forward(downsample_conv->forward(pooled(x, stride))) : x;
  return (c + shortcut).relu();
}

AttentionPool::AttentionPool(std::int64_t width, std::int64_t embed, Grid grid) {
  positional_embedding = register_parameter("positional_embedding", at::zeros({1 + grid.count(), width}));
  k_proj = register_module("k_proj", std::make_shared<Linear>(LinearShape{.in = width, .out = width}));
  q_proj = register_module("q_proj", std::make_shared<Linear>(LinearShape{.in = width, .out = width}));
  v_proj = register_module("v_proj", std::make_shared<Linear>(LinearShape{.in = width, .out = width}));
  c_proj = register_module("c_proj", std::make_shared<Linear>(LinearShape{.in = width, .out = embed}));
}

at::Tensor AttentionPool::forward(const at::Tensor& map, bool only_first) {
  const at::Tensor cells = map.flatten(2).transpose(1, 2); // [B, h w, C]
  const at::Tensor x = at::cat({cells.mean(1, /*keepdim=*/true), cells}, 1) + positional_embedding;
  const at::Tensor read = only_first ? x.slice(1, 0, 1) : x;
  const auto heads = [](const at::Tensor& y) { return y.unflatten(2, {-1, kHeadWidth}).transpose(1, 2); };
  const KeysValues context{heads(k_proj->forward(x)), heads(v_proj->forward(x))};
  return c_proj->forward(attend(heads(q_proj->forward(read)), context, {}));
}

ModifiedResnet::ModifiedResnet(const ResnetShape& shape) : shape_(shape) {
  const std::int64_t width = shape.width;
  conv1 = register_module("conv1", conv3x3(3, width / 2, 2));
  bn1 = register_module("bn1", std::make_shared<BatchNorm>(width / 2));
  conv2 = register_module("conv2", conv3x3(width / 2, width / 2));
  bn2 = register_module("bn2", std::make_shared<BatchNorm>(width / 2));
  conv3 = register_module("conv3", conv3x3(width / 2, width));
  bn3 = register_module("bn3", std::make_shared<BatchNorm>(width));
  std::int64_t in = width;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    const auto layer =
        register_module("layer" + std::to_string(stage + 1), std::make_shared<torch::nn::Module>());
    const std::int64_t planes = width << stage;
    const std::int64_t first_stride = stage == 0 ? 1 : stage == 3 ? shape.layer4_stride : 2;
    for (std::int64_t i = 0; i < shape.layers[stage]; ++i) {
      const auto block = std::make_shared<Bottleneck>(in, planes, i == 0 ? first_stride : 1, i == 0);
      layers[stage].push_back(layer->register_module(std::to_string(i), block));
      in = 4 * planes;
    }
  }
  attnpool = register_module("attnpool",
                             std::make_shared<AttentionPool>(shape.feature_width(), shape.embed, shape.grid));
}

ResnetMaps ModifiedResnet::forward_maps(const at::Tensor& images) {
  // The training form is faster with channels last on a GPU, and a tenth slower on a CPU.
  at::Tensor x = images.device().is_cpu() ? images : images.contiguous(at::MemoryFormat::ChannelsLast);
  x = bn1->forward(conv1->forward(x)).relu();
  x = bn2->forward(conv2->forward(x)).relu();
  x = at::avg_pool2d(bn3->forward(conv3->forward(x)).relu(), {2, 2});
  at::Tensor layer3;
  for (std::size_t stage = 0; stage < 4; ++stage) {
    for (const auto& block : layers[stage])
      x = block->forward(x);
    if (stage == 2) layer3 = x;
  }
  check_shape(x, {"B", shape_.feature_width(), shape_.grid.height, shape_.grid.width},
              "last map of the ResNet");
  return {.layer3 = layer3, .layer4 = x};
}

ImageFeatures ModifiedResnet::forward(const at::Tensor& images, const at::Tensor& class_offset) {
  VLREID_ASSERT(!class_offset.defined());
  const ResnetMaps maps = forward_maps(images);
  return {.last = maps.layer3.mean({2, 3}),
          .feature = maps.layer4.mean({2, 3}),
          .proj = attnpool->forward(maps.layer4, /*only_first=*/true).select(1, 0)};
}

std::shared_ptr<ImageEncoder> make_modified_resnet(const StateDict& state,
                                                   const ImageEncoderOptions& options) {
  const at::Tensor* stem = state.find("bn3.weight");
  const at::Tensor* pool = state.find("attnpool.c_proj.weight");
  if (stem == nullptr || pool == nullptr || pool->dim() != 2) return nullptr;
  const std::int64_t layer4_stride = options.keeps_resolution_in_layer4 ? 1 : 2;
  ResnetShape shape{.width = stem->numel(),
                    .layers = {},
                    .embed = pool->size(0),
                    .grid = map_size(options.image, layer4_stride),
                    .layer4_stride = layer4_stride};
  for (std::size_t stage = 0; stage < 4; ++stage)
    shape.layers[stage] = count_blocks(state, "layer" + std::to_string(stage + 1) + ".");
  VLREID_REQUIRE(shape.width >= 2 && shape.feature_width() % kHeadWidth == 0, ErrorKind::data, "bn3.weight",
                 "a stem of " + std::to_string(shape.width) + " channels", "an even number");
  return std::make_shared<ModifiedResnet>(shape);
}

} // namespace vlreid
