#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "vlreid/base/error.h"
#include "vlreid/encoders/clip.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/encoders/resnet_forms.h"
#include "vlreid/encoders/text.h"
#include "vlreid/encoders/vit.h"
#include "vlreid/weights/load.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/triu.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

at::Tensor normalised_copy(const at::Tensor& x) {
  return x / x.norm(2, 1, /*keepdim=*/true);
}

class ZeroShot : public testing::TestWithParam<const char*> {};

TEST_P(ZeroShot, TowersEqualTheReference) {
  const std::string name = GetParam();
  VLREID_GOLDEN(path, "common/clip-zero-shot.safetensors");
  VLREID_GOLDEN(base, "common/" + name + ".pt");
  const SafetensorsFile golden(path);
  const Clip clip(load_weights(base).state, base.string());
  EXPECT_EQ(clip.image_size(), 224);
  const std::vector<float> mean{0.48145466F, 0.4578275F, 0.40821073F},
      std{0.26862954F, 0.26130258F, 0.27577711F};
  const at::Tensor u8 = golden_tensor(golden, "image_u8_before_normalise");
  const at::Tensor images =
      ((u8.to(at::kFloat) / 255 - at::tensor(mean)) / at::tensor(std)).permute({0, 3, 1, 2}).contiguous();
  const at::Tensor image_features = clip.encode_images(images),
                   text_features = clip.encode_text(golden_tensor(golden, "tokens"));
  expect_close(image_features, golden_tensor(golden, name + "/image_features"), {.abs = 1e-4}, "images");
  expect_close(text_features, golden_tensor(golden, name + "/text_features"), {.abs = 1e-4}, "text");
  const at::Tensor logits =
      clip.logit_scale() * at::matmul(normalised_copy(image_features), normalised_copy(text_features).t());
  expect_close(logits, golden_tensor(golden, name + "/logits_per_image"), {.abs = 2e-3}, "logits");
  expect_close(logits.t(), golden_tensor(golden, name + "/logits_per_text"), {.abs = 2e-3},
               "logits of the text");
}
INSTANTIATE_TEST_SUITE_P(Golden, ZeroShot, testing::Values("tiny-vit", "tiny-rn"),
                         [](const auto& test) { return std::string(test.param).substr(5); });

// Without any saving: all positions through all blocks, then the end token.
at::Tensor plain_text(TextEncoder& text, const TextPrompt& prompt) {
  at::Tensor x = prompt.embeddings + text.positional_embedding.slice(0, 0, prompt.embeddings.size(1));
  const std::int64_t length = x.size(1);
  const at::Tensor mask = at::triu(at::full({length, length}, -INFINITY), 1);
  for (std::int64_t i = 0; i < text.blocks().depth(); ++i) {
    ResidualBlock& block = text.blocks().block(i);
    if (block.VPT_shallow.defined()) x = with_tokens_replaced(x, 1, block.VPT_shallow);
    for (const DeepPrompt& deep : prompt.deep)
      if (deep.block == i) x = with_tokens_replaced(x, deep.position, deep.vectors);
    x = block.forward(x, mask);
  }
  x = at::matmul(text.ln_final->forward(x), text.text_projection);
  std::vector<at::Tensor> rows;
  for (std::size_t i = 0; i < prompt.end_positions.size(); ++i)
    rows.push_back(x[static_cast<std::int64_t>(i)][prompt.end_positions[i]]);
  return at::stack(rows);
}

struct SavingCase {
  std::int64_t shared;
  std::vector<std::int64_t> ends;
  std::int64_t visual_prompts;
  bool has_deep;
};

class TextSavings : public testing::TestWithParam<SavingCase> {};

TEST_P(TextSavings, ChangeNothing) {
  const SavingCase& c = GetParam();
  TextEncoder text({.blocks = {.width = 64, .layers = 3, .heads = 1, .visual_prompts = c.visual_prompts},
                    .context_length = 20,
                    .embed = 8});
  {
    const c10::NoGradGuard no_grad;
    for (const auto& item : text.named_parameters())
      item.value().add_(at::randn(item.value().sizes()) * 0.2);
  }
  TextPrompt prompt{
      .embeddings = at::randn({3, 20, 64}), .end_positions = c.ends, .shared_positions = c.shared};
  prompt.embeddings.slice(1, 0, c.shared).copy_(prompt.embeddings[0].slice(0, 0, c.shared).clone());
  if (c.has_deep) {
    prompt.deep.push_back(
        {.block = 1, .position = 4, .vectors = at::randn({1, 2, 64})}); // reaches over a prefix of 5
    prompt.deep.push_back({.block = 2, .position = 6, .vectors = at::randn({3, 1, 64})});
  }
  EXPECT_TRUE(at::allclose(text.forward(prompt), plain_text(text, prompt), 1e-4, 1e-5));
}
INSTANTIATE_TEST_SUITE_P(Cases, TextSavings,
                         testing::Values(SavingCase{0, {9, 9, 9}, 0, false},
                                         SavingCase{5, {9, 9, 9}, 0, true},
                                         SavingCase{5, {9, 12, 7}, 0, true},
                                         SavingCase{5, {9, 9, 9}, 2, false},
                                         SavingCase{8, {11, 9, 19}, 4, true}));

TEST(RandomClip, EverySizeGetsAnEncoderThatFits) {
  for (const char* name : {"tiny-vit", "tiny-rn"}) {
    const StateDict state = random_clip(published_clip(name), 5);
    const Clip clip(state, name);
    EXPECT_EQ(clip.encode_images(at::randn({1, 3, clip.image_size(), clip.image_size()})).size(1), 32);
    EXPECT_EQ(clip.encode_text(at::randint(0, 99, {2, 77}, at::kLong)).size(1), 32);
    EXPECT_TRUE(at::allclose(state.at("text_projection"),
                             random_clip(published_clip(name), 5).at("text_projection"), 0, 0));
  }
  EXPECT_THROW(published_clip("ViT-B/17"), Error);
}

TEST(ImageEncoder, ShapesGiveTheArchitecture) {
  StateDict state;
  for (const auto& [name, tensor] :
       random_clip({.embed = 16, .vision_width = 128, .vision_layers = 4, .patch = 14, .text_layers = 0}, 1))
    state.add(name.substr(7), tensor);
  const auto encoder = make_image_encoder(state, {.image = {70, 28}, .stride = 7}, "file");
  const auto& shape = dynamic_cast<VisionTransformer&>(*encoder).shape();
  EXPECT_EQ(shape.layers, 4);
  EXPECT_EQ(shape.heads, 2);
  EXPECT_EQ(shape.patch, 14);
  EXPECT_EQ(encoder->grid(), (Grid{9, 3}));
  EXPECT_EQ(encoder->embed_width(), 16);
  EXPECT_THROW(make_image_encoder(StateDict(), {}, "file"), Error);
}

TEST(ModifiedResnet, InferenceFormsEqualTheTrainingForm) {
  const c10::NoGradGuard no_grad;
  ModifiedResnet net({.width = 16, .layers = {2, 1, 1, 1}, .embed = 24, .grid = {4, 2}});
  for (const auto& item : net.named_parameters())
    item.value().copy_(at::randn(item.value().sizes()) * 0.1);
  for (const auto& item : net.named_buffers())
    if (item.key().ends_with("running_var")) item.value().uniform_(0.5, 2);
  net.eval();
  const at::Tensor images = at::randn({3, 3, 64, 32});
  const ImageFeatures expected = net.forward(images, {});
  const auto packed = net.make_inference({}, kImageNetPixels),
             with_aten = aten_resnet(net, {}, kImageNetPixels);
  for (const ImageInference* form : {packed.get(), with_aten.get()}) {
    for (int again = 0; again < 2; ++again) { // the second time in the first one's memory
      const ImageFeatures found = form->forward(images, {});
      expect_close(found.last, expected.last, {.abs = 1e-5}, "last");
      expect_close(found.feature, expected.feature, {.abs = 1e-5}, "feature");
      expect_close(found.proj, expected.proj, {.abs = 1e-5}, "proj");
    }
  }
}

at::Tensor random_bytes(std::int64_t height, std::int64_t width) {
  return at::randint(0, 256, {3, height, width, 3}, at::kByte);
}

// Bytes [B, H, W, 3] -> [B, 3, H, W], normalised as the references do.
at::Tensor normalised(const at::Tensor& bytes, const PixelStatistics& pixels) {
  const at::Tensor shares = bytes.to(at::kFloat) / 255;
  return ((shares - at::tensor(pixels.mean)) / at::tensor(pixels.std)).permute({0, 3, 1, 2}).contiguous();
}

TEST(ModifiedResnet, BytesAreNormalised) {
  const c10::NoGradGuard no_grad;
  ModifiedResnet net({.width = 16, .layers = {1, 1, 1, 1}, .embed = 24, .grid = {4, 2}});
  for (const auto& item : net.named_parameters())
    item.value().copy_(at::randn(item.value().sizes()) * 0.1);
  net.eval();
  const at::Tensor bytes = random_bytes(64, 32);
  const PixelStatistics own{.mean = {0.1F, 0.5F, 0.9F}, .std = {0.3F, 0.6F, 0.2F}};
  for (const PixelStatistics& pixels : {kImageNetPixels, own}) {
    const auto packed = net.make_inference({}, pixels), with_aten = aten_resnet(net, {}, pixels);
    for (const ImageInference* form : {packed.get(), with_aten.get()})
      EXPECT_TRUE(
          at::equal(form->forward(bytes, {}).proj, form->forward(normalised(bytes, pixels), {}).proj));
  }
}

struct ByteCase {
  std::int64_t stride, prompts;
  at::ScalarType type;
  double tolerance; // of the largest number
};

class VitBytes : public testing::TestWithParam<ByteCase> {};

// The normalisation is folded into the product of the patches.
TEST_P(VitBytes, GiveWhatNormalisedFloatsGive) {
  const ByteCase& c = GetParam();
  const c10::NoGradGuard no_grad;
  VisionTransformer vit({.width = 64,
                         .layers = 2,
                         .heads = 1,
                         .patch = 16,
                         .stride = c.stride,
                         .embed = 8,
                         .grid = patch_grid({64, 32}, 16, c.stride),
                         .visual_prompts = c.prompts});
  for (const auto& item : vit.named_parameters())
    item.value().copy_(at::randn(item.value().sizes()) * 0.2);
  vit.eval();
  const at::Tensor bytes = random_bytes(64, 32), offset = at::randn({3, 64});
  const PixelStatistics own{.mean = {0.1F, 0.5F, 0.9F}, .std = {0.3F, 0.6F, 0.2F}};
  for (const PixelStatistics& pixels : {kVitPixels, own}) {
    const at::Tensor expected = vit.forward(normalised(bytes, pixels), offset).proj;
    const auto form = vit.make_inference({.type = c.type}, pixels);
    const double largest = expected.abs().max().item<double>();
    expect_close(form->forward(bytes, offset).proj, expected, {.abs = c.tolerance * largest}, "proj");
  }
}
INSTANTIATE_TEST_SUITE_P(Cases, VitBytes,
                         testing::Values(ByteCase{16, 0, at::kFloat, 1e-5}, ByteCase{12, 2, at::kFloat, 1e-5},
                                         ByteCase{16, 0, at::kBFloat16, 2e-2}));

TEST(ModuleState, OrderIsThatOfTheReferences) {
  const VisionTransformer vit(
      {.width = 64, .layers = 1, .heads = 1, .patch = 16, .stride = 16, .embed = 8, .grid = {2, 2}});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state_of(vit))
    names.push_back(name);
  const std::vector<std::string> first(names.begin(), names.begin() + 6);
  EXPECT_EQ(first, (std::vector<std::string>{"class_embedding", "positional_embedding", "proj",
                                             "conv1.weight", "ln_pre.weight", "ln_pre.bias"}));
  EXPECT_EQ(names.back(), "ln_post.bias");
}

// Depth, width and image of one's own choice: 3 x 1 patches make a table of 3 x 3.
TEST(RandomWeights, ModelOfSizesFromAFile) {
  ClipSizes sizes{.embed = 32, .vision = {}, .text = {}};
  sizes.vision = {.width = 64, .layers = 2, .patch = 8, .image_size = {24, 8}};
  sizes.text = {.width = 128, .layers = 1, .heads = 2, .context_length = 16, .vocabulary = 60};
  const StateDict state = random_clip(clip_architecture(sizes), 1);
  EXPECT_EQ(state.at("visual.positional_embedding").sizes(), (at::IntArrayRef{10, 64}));
  EXPECT_EQ(state.at("token_embedding.weight").sizes(), (at::IntArrayRef{60, 128}));
  const Clip clip(state, "sizes.yml");
  EXPECT_EQ(clip.encode_images(at::zeros({2, 3, 24, 24})).sizes(), (at::IntArrayRef{2, 32}));
  EXPECT_EQ(clip.encode_text(at::ones({2, 16}, at::kLong)).sizes(), (at::IntArrayRef{2, 32}));

  sizes.vision.image_size = {8 * 13, 8 * 7};
  EXPECT_THROW(clip_architecture(sizes), Error);
}

} // namespace
} // namespace vlreid
