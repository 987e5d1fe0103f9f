#include "vlreid/encoders/random_weights.h"

#include "vlreid/base/error.h"
#include "vlreid/base/registry.h"
#include "vlreid/encoders/image_encoder.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/encoders/resnet.h"
#include "vlreid/encoders/text.h"
#include "vlreid/encoders/vit.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <cmath>
#include <numeric>

namespace vlreid {
namespace {

class Writer {
public:
  explicit Writer(std::uint64_t seed) : generator_(at::make_generator<at::CPUGeneratorImpl>(seed)) {}

  // Matrices and tables get noise, what a new module has as norm weights stays.
  void add(StateDict& state, const std::string& prefix, const torch::nn::Module& module, double width,
           double layers) {
    for (const auto& [name, tensor] : state_of(module)) {
      const double std = deviation(name, width, layers);
      const bool has_noise = tensor.dim() >= 2 || name == "class_embedding";
      state.add(prefix + name, has_noise ? noise(tensor.sizes(), std) : tensor.detach().clone());
    }
  }

  at::Tensor noise(at::IntArrayRef shape, double std) {
    return at::randn(shape, generator_, at::TensorOptions()) * std;
  }

private:
  // As CLIP starts: projections into the residual stream are smaller the deeper the network.
  static double deviation(const std::string& name, double width, double layers) {
    if (name.ends_with("out_proj.weight") || name.ends_with("c_proj.weight"))
      return std::pow(width, -0.5) * std::pow(2 * layers, -0.5);
    if (name.ends_with("c_fc.weight")) return std::pow(2 * width, -0.5);
    return std::pow(width, -0.5);
  }

  at::Generator generator_;
};

void add_vision(StateDict& state, const ClipArchitecture& a, Writer& writer) {
  if (a.is_resnet()) {
    const Grid grid{a.image_size / 32, a.image_size / 32};
    const ModifiedResnet net({.width = a.vision_width,
                              .layers = a.resnet_layers,
                              .embed = a.embed,
                              .grid = grid,
                              .layer4_stride = 2});
    writer.add(state, "visual.", net, 4.0 * static_cast<double>(a.vision_width), 4);
    return;
  }
  const VisionTransformer net({.width = a.vision_width,
                               .layers = a.vision_layers,
                               .heads = a.vision_width / kHeadWidth,
                               .patch = a.patch,
                               .stride = a.patch,
                               .embed = a.embed,
                               .grid = patch_grid({a.image_size, a.image_size}, a.patch, a.patch)});
  writer.add(state, "visual.", net, static_cast<double>(a.vision_width),
             static_cast<double>(a.vision_layers));
}

void add_text(StateDict& state, const ClipArchitecture& a, Writer& writer) {
  if (a.text_layers == 0) return;
  const TextEncoder net(
      {.blocks = {.width = a.text_width, .layers = a.text_layers, .heads = a.text_width / kHeadWidth},
       .context_length = a.context_length,
       .embed = a.embed});
  writer.add(state, "", net, static_cast<double>(a.text_width), static_cast<double>(a.text_layers));
  // Weaker than the words, so that these are heard from the first step on.
  state.set("positional_embedding", writer.noise({a.context_length, a.text_width}, 0.01));
  state.add("token_embedding.weight", writer.noise({a.vocabulary, a.text_width}, 0.02));
  state.add("logit_scale", at::full({}, std::log(1 / 0.07))); // CLIP's initial temperature
}

} // namespace

ClipArchitecture published_clip(std::string_view name) {
  static const Registry<ClipArchitecture> known = [] {
    Registry<ClipArchitecture> made("CLIP architecture");
    made.add("ViT-B/32", {.patch = 32}, "");
    made.add("ViT-B/16", {}, "");
    const ClipArchitecture large{
        .embed = 768, .vision_width = 1024, .vision_layers = 24, .patch = 14, .text_width = 768};
    made.add("ViT-L/14", large, "");
    ClipArchitecture larger = large;
    larger.image_size = 336;
    made.add("ViT-L/14@336px", larger, "");
    made.add("RN50", {.embed = 1024, .vision_width = 64, .resnet_layers = {3, 4, 6, 3}}, "");
    made.add("RN101", {.embed = 512, .vision_width = 64, .resnet_layers = {3, 4, 23, 3}}, "");
    made.add("RN50x4",
             {.embed = 640,
              .image_size = 288,
              .vision_width = 80,
              .resnet_layers = {4, 6, 10, 6},
              .text_width = 640},
             "");
    made.add("RN50x16",
             {.embed = 768,
              .image_size = 384,
              .vision_width = 96,
              .resnet_layers = {6, 8, 18, 8},
              .text_width = 768},
             "");
    made.add("RN50x64",
             {.embed = 1024,
              .image_size = 448,
              .vision_width = 128,
              .resnet_layers = {3, 15, 36, 10},
              .text_width = 1024},
             "");
    made.add("tiny-vit",
             {.embed = 32,
              .vision_width = 64,
              .vision_layers = 3,
              .text_width = 64,
              .text_layers = 2,
              .vocabulary = 100},
             "");
    made.add("tiny-rn",
             {.embed = 32,
              .vision_width = 4,
              .resnet_layers = {1, 1, 1, 1},
              .text_width = 64,
              .text_layers = 2,
              .vocabulary = 100},
             "");
    return made;
  }();
  return known.at(name);
}

ClipArchitecture clip_architecture(const ClipSizes& sizes) {
  constexpr std::int64_t kLargestSide = 64;
  const std::int64_t patch = sizes.vision.patch;
  const auto [height, width] = sizes.vision.image_size;
  const std::int64_t side = std::lcm(height / patch, width / patch);
  VLREID_REQUIRE(side >= 1 && side <= kLargestSide, ErrorKind::config, "VISION.IMAGE_SIZE",
                 "a grid of " + std::to_string(height / patch) + "x" + std::to_string(width / patch) +
                     " patches, which a square table holds only with " + std::to_string(side) + " a side",
                 "at most " + std::to_string(kLargestSide), "choose sides of which one divides the other");
  return {.embed = sizes.embed,
          .image_size = side * patch,
          .vision_width = sizes.vision.width,
          .vision_layers = sizes.vision.layers,
          .patch = patch,
          .text_width = sizes.text.width,
          .text_layers = sizes.text.layers,
          .vocabulary = sizes.text.vocabulary,
          .context_length = sizes.text.context_length};
}

StateDict random_clip(const ClipArchitecture& architecture, std::uint64_t seed) {
  StateDict state;
  Writer writer(seed);
  add_vision(state, architecture, writer);
  add_text(state, architecture, writer);
  return state;
}

} // namespace vlreid
