// The whole model against the files that the reference implementations wrote (golden/README.md).
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "vlreid/adapters/lora.h"
#include "vlreid/encoders/resnet.h"
#include "vlreid/encoders/vit.h"
#include "vlreid/reid/model.h"
#include "vlreid/weights/load.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

at::Tensor normalised(const at::Tensor& u8, bool is_resnet) {
  const std::vector<float> mean =
      is_resnet ? std::vector<float>{0.485F, 0.456F, 0.406F} : std::vector<float>{0.5F, 0.5F, 0.5F};
  const std::vector<float> std =
      is_resnet ? std::vector<float>{0.229F, 0.224F, 0.225F} : std::vector<float>{0.5F, 0.5F, 0.5F};
  return ((u8.to(at::kFloat) / 255 - at::tensor(mean)) / at::tensor(std)).permute({0, 3, 1, 2}).contiguous();
}

StateDict with(StateDict state, const SafetensorsFile& file, const std::string& prefix) {
  for (const auto& entry : file.entries())
    if (entry.name.starts_with(prefix))
      state.set(entry.name.substr(prefix.size()), golden_tensor(file, entry.name));
  return state;
}

at::Tensor tensor_at(const StateDict& state, std::string name) {
  return state.at(name);
}

struct ForwardCase {
  const char* name;
  ReidOptions options;
  double tolerance = 5e-5;
};

void PrintTo(const ForwardCase& c, std::ostream* out) {
  *out << c.name;
}

void expect_forward(const ForwardCase& c, const std::filesystem::path& path,
                    const std::filesystem::path& inputs_path, const StateDict& weights) {
  const SafetensorsFile golden(path), inputs(inputs_path);
  ReidOptions options = c.options;
  const bool is_square = options.image->height == options.image->width;
  const bool is_resnet = std::string(c.name).starts_with("rn");
  const at::Tensor images =
      normalised(golden_tensor(inputs, is_square ? "u8_256x256" : "u8_256x128").slice(0, 0, 4), is_resnet);
  const at::Tensor cameras = golden_tensor(inputs, "cam").slice(0, 0, 4),
                   views = golden_tensor(inputs, "view").slice(0, 0, 4);
  const Tolerance close{.rel = c.tolerance};

  ReidModel model(weights, options, c.name);
  expect_close(model.embed(images, cameras, views), golden_tensor(golden, "eval/embedding_before"), close,
               "embedding before");
  if (golden.has("eval/get_image"))
    expect_close(model.project_images(images), golden_tensor(golden, "eval/get_image"), close, "get_image");
  options.neck = NeckFeature::after;
  ReidModel after(weights, options, c.name);
  expect_close(after.embed(images, cameras, views), golden_tensor(golden, "eval/embedding_after"), close,
               "embedding after");

  model.eval();
  const c10::NoGradGuard no_grad;
  const ImageFeatures evaluated = model.forward(images, cameras, views).features;
  expect_close(at::cat({evaluated.feature, evaluated.proj}, 1),
               golden_tensor(golden, "eval/embedding_before"), close, "training form");
  if (auto* vit = dynamic_cast<VisionTransformer*>(&model.image_encoder());
      vit && golden.has("eval/encoder_last_tokens")) {
    const TokenFeatures tokens = vit->forward_tokens(images.slice(0, 0, 2));
    expect_close(tokens.last.slice(1, 0, 8), golden_tensor(golden, "eval/encoder_last_tokens"), close,
                 "last tokens");
    expect_close(tokens.feature.slice(1, 0, 8), golden_tensor(golden, "eval/encoder_feature_tokens"), close,
                 "feature tokens");
    expect_close(tokens.proj.slice(1, 0, 8), golden_tensor(golden, "eval/encoder_proj_tokens"), close,
                 "proj tokens");
  }
  if (auto* net = dynamic_cast<ModifiedResnet*>(&model.image_encoder())) {
    const ResnetMaps maps = net->forward_maps(images.slice(0, 0, 1));
    expect_close(maps.layer3[0].slice(0, 0, 16),
                 golden_tensor(golden, "eval/encoder_layer3_sample0_first16ch"), close, "layer3");
    expect_close(maps.layer4[0].slice(0, 0, 16),
                 golden_tensor(golden, "eval/encoder_layer4_sample0_first16ch"), close, "layer4");
    expect_close(net->attnpool->forward(maps.layer4, false)[0],
                 golden_tensor(golden, "eval/attnpool_all_tokens_sample0"), close, "attention pool");
  }

  model.train();
  const TrainingOutput output = model.forward(images, cameras, views);
  expect_close(output.features.last, golden_tensor(golden, "train/last"), close, "train last");
  expect_close(output.features.feature, golden_tensor(golden, "train/feature"), close, "train feature");
  expect_close(output.features.proj, golden_tensor(golden, "train/proj"), close, "train proj");
  expect_close(output.score, golden_tensor(golden, "train/score"), close, "score");
  expect_close(output.score_proj, golden_tensor(golden, "train/score_proj"), close, "score_proj");
  const StateDict state = model.state();
  constexpr std::string_view kBefore = "train/", kAfter = "_after";
  for (const auto& entry : golden.entries()) {
    if (!entry.name.starts_with(kBefore) || !entry.name.ends_with(kAfter)) continue;
    const std::string name =
        entry.name.substr(kBefore.size(), entry.name.size() - kBefore.size() - kAfter.size());
    expect_close(tensor_at(state, name), golden_tensor(golden, entry.name), close, name);
  }
}

class Forward : public testing::TestWithParam<ForwardCase> {};

TEST_P(Forward, EqualsTheReference) {
  const ForwardCase& c = GetParam();
  const std::string name = c.name;
  const bool is_resnet = name.starts_with("rn");
  VLREID_GOLDEN(path, "clipreid/forward-" + name + ".safetensors");
  VLREID_GOLDEN(inputs, "clipreid/inputs.safetensors");
  VLREID_GOLDEN(checkpoint, is_resnet ? "clipreid/ckpt-rn-stage2.pth" : "clipreid/ckpt-vit-stage2.pth");
  StateDict weights = load_weights(checkpoint).state;
  if (is_resnet) {
    weights = with(std::move(weights), SafetensorsFile(path), "override/");
  } else {
    VLREID_GOLDEN(overrides, "clipreid/ckpt-vit-overrides.safetensors");
    weights = with(std::move(weights), SafetensorsFile(overrides), name + "/");
  }
  expect_forward(c, path, inputs, weights);
}

constexpr Grid kPerson{256, 128}, kVehicle{256, 256};
INSTANTIATE_TEST_SUITE_P(
    Golden, Forward,
    testing::Values(
        ForwardCase{"vit-s16", {.image = kPerson}}, ForwardCase{"vit-s12", {.image = kPerson, .stride = 12}},
        ForwardCase{"vit-256x256", {.image = kVehicle}},
        ForwardCase{"vit-sie-camera", {.image = kPerson, .sie_camera = true}},
        ForwardCase{"vit-sie-view", {.image = kPerson, .sie_view = true}},
        ForwardCase{"vit-sie-both", {.image = kPerson, .sie_camera = true, .sie_view = true, .views = 3}},
        ForwardCase{"vit-s12-sie-camera-coe1",
                    {.image = kPerson, .stride = 12, .sie_camera = true, .sie_coe = 1}},
        ForwardCase{"rn-256x128", {.image = kPerson}}, ForwardCase{"rn-256x256", {.image = kVehicle}}),
    [](const auto& test) {
      std::string name = test.param.name;
      std::ranges::replace(name, '-', '_');
      return name;
    });

struct CheckpointCase {
  const char* golden; // file with the expected features
  const char* name;   // of the checkpoint inside and, with `ckpt-`, of the file
  const char* inputs;
  const char* images;
  ReidOptions options;
  double tolerance;
};

void PrintTo(const CheckpointCase& c, std::ostream* out) {
  *out << c.name;
}

class Checkpoint : public testing::TestWithParam<CheckpointCase> {};

TEST_P(Checkpoint, GivesTheEmbeddingsOfTheReference) {
  const CheckpointCase& c = GetParam();
  const std::string name = c.name;
  VLREID_GOLDEN(path, std::string("clipreid/") + c.golden + ".safetensors");
  VLREID_GOLDEN(inputs, std::string("clipreid/") + c.inputs);
  VLREID_GOLDEN(checkpoint, "clipreid/ckpt-" + name + ".pth");
  const SafetensorsFile golden(path);
  const auto expected = [&](const char* what) { return golden_tensor(golden, name + "/" + what); };
  const StateDict weights = load_weights(checkpoint).state;
  const at::Tensor images =
      normalised(golden_tensor(SafetensorsFile(inputs), c.images), name.starts_with("rn"));
  const Tolerance close{.rel = c.tolerance};

  ReidModel model(weights, c.options, name);
  const at::Tensor embedding = model.embed(images);
  expect_close(embedding, expected("embedding_before"), close, "before");
  expect_close(embedding / embedding.norm(2, 1, true), expected("embedding_before_normalised"), close,
               "normalised");
  expect_close(model.project_images(images), expected("get_image"), close, "get_image");
  expect_close(model.text_features(), expected("text_features"), close, "text");
  ReidOptions after = c.options;
  after.neck = NeckFeature::after;
  expect_close(ReidModel(weights, after, name).embed(images), expected("embedding_after"), close, "after");
}

constexpr Grid kMini{64, 32};
INSTANTIATE_TEST_SUITE_P(
    Golden, Checkpoint,
    testing::Values(
        CheckpointCase{"ckpt-vit", "vit-stage2", "inputs.safetensors", "u8_256x128", {}, 5e-5},
        CheckpointCase{"ckpt-rn", "rn-stage1", "inputs.safetensors", "u8_256x128", {.image = kPerson}, 3e-4},
        CheckpointCase{"ckpt-rn", "rn-stage2", "inputs.safetensors", "u8_256x128", {.image = kPerson}, 3e-4},
        CheckpointCase{"ckpt-mini-vit",
                       "mini-vit-stage1",
                       "train-data.safetensors",
                       "test_u8_64x32",
                       {.image = kMini},
                       1e-4},
        CheckpointCase{"ckpt-mini-ted-lora",
                       "mini-ted-lora-stage1",
                       "train-data.safetensors",
                       "test_u8_64x32",
                       {.image = kMini, .adapter = {.alpha = 2}},
                       1e-4},
        CheckpointCase{"ckpt-mini-ted-lora",
                       "mini-ted-lora-stage2",
                       "train-data.safetensors",
                       "test_u8_64x32",
                       {.image = kMini, .adapter = {.alpha = 2}},
                       1e-4}),
    [](const auto& test) {
      std::string name = test.param.name;
      std::ranges::replace(name, '-', '_');
      return name;
    });

TEST(Lora, MergesAndRunsAsTheReference) {
  VLREID_GOLDEN(path, "clipreid/lora.safetensors");
  VLREID_GOLDEN(checkpoint, "clipreid/ckpt-mini-ted-lora-stage2.pth");
  VLREID_GOLDEN(data, "clipreid/train-data.safetensors");
  const SafetensorsFile golden(path);
  const StateDict weights = load_weights(checkpoint).state;
  const at::Tensor images = normalised(golden_tensor(SafetensorsFile(data), "test_u8_64x32"), false);
  const ReidOptions options{.image = kMini, .adapter = {.alpha = 2}};
  const Tolerance close{.rel = 1e-4};

  ReidModel model(weights, options, "lora");
  const ImageFeatures merged = model.image_features(images);
  expect_close(merged.last, golden_tensor(golden, "eval_merged/last"), close, "last");
  expect_close(merged.feature, golden_tensor(golden, "eval_merged/feature"), close, "feature");
  expect_close(merged.proj, golden_tensor(golden, "eval_merged/proj"), close, "proj");
  model.train();
  const ImageFeatures training = model.forward(images).features;
  expect_close(training.last, golden_tensor(golden, "train_unmerged/last"), close, "last, training");
  expect_close(training.feature, golden_tensor(golden, "train_unmerged/feature"), close, "feature, training");
  expect_close(training.proj, golden_tensor(golden, "train_unmerged/proj"), close, "proj, training");
  ReidModel without(weights, {.image = kMini, .adapter = {.alpha = 0}}, "lora");
  expect_close(without.image_features(images).proj, golden_tensor(golden, "without_lora/proj"), close,
               "without");

  StateDict merged_form = model.state();
  for (const auto& item : model.named_modules("", /*include_self=*/false))
    if (const auto* layer = dynamic_cast<const LoraLinear*>(item.value().get())) {
      const at::Tensor weight = layer->effective_weight().detach();
      if (golden.has("merged/" + item.key() + ".weight"))
        expect_close(weight, golden_tensor(golden, "merged/" + item.key() + ".weight"), {.abs = 1e-6},
                     item.key());
      merged_form.set(item.key() + ".weight", weight);
    }
  ReidModel from_merged(merged_form, {.image = kMini, .adapter = {.alpha = 2, .is_merged = true}}, "lora");
  expect_close(from_merged.image_features(images).proj, golden_tensor(golden, "eval_merged/proj"), close,
               "from the merged form");
}

TEST(Positions, PlainTablesAreResizedAsTheReferenceDoes) {
  VLREID_GOLDEN(path, "clipreid/pos-embed.safetensors");
  VLREID_GOLDEN(vit, "common/tiny-vit.pt");
  VLREID_GOLDEN(resnet, "common/tiny-rn.pt");
  const SafetensorsFile golden(path);
  const StateDict vit_weights = load_weights(vit).state, resnet_weights = load_weights(resnet).state;
  for (const auto& [name, size] : std::vector<std::pair<std::string, Grid>>{
           {"vit-256x128-s16", {256, 128}}, {"vit-64x32-s16", {64, 32}}, {"vit-384x128-s16", {384, 128}}}) {
    ReidModel model(vit_weights, {.image = size}, name);
    expect_close(tensor_at(model.state(), "image_encoder.positional_embedding"), golden_tensor(golden, name),
                 {.abs = 1e-6}, name);
  }
  for (const auto& [name, size] :
       std::vector<std::pair<std::string, Grid>>{{"rn-256x128", {256, 128}}, {"rn-64x32", {64, 32}}}) {
    ReidModel model(resnet_weights, {.image = size}, name);
    expect_close(tensor_at(model.state(), "image_encoder.attnpool.positional_embedding"),
                 golden_tensor(golden, name), {.abs = 1e-6}, name);
  }
}

TEST(Multimodal, CheckpointsGiveTheEmbeddingsOfTheReference) {
  VLREID_GOLDEN(path, "multimodal/checkpoints.safetensors");
  VLREID_GOLDEN(coop, "multimodal/ckpt-coop.pth");
  VLREID_GOLDEN(ivlp, "multimodal/ckpt-ivlp-half.pth");
  VLREID_GOLDEN(inputs, "multimodal/prompts-coop.safetensors");
  const SafetensorsFile golden(path);
  const at::Tensor images = golden_tensor(SafetensorsFile(inputs), "images"),
                   second = golden_tensor(golden, "images_augmented");
  for (const auto& [name, file] : {std::pair{"coop", coop}, {"ivlp", ivlp}}) {
    ReidModel model(load_weights(file).state, {.image = kMini}, name);
    EXPECT_EQ(model.stride(), 12);
    const auto expect = [&](const at::Tensor& actual, const char* what) {
      const at::Tensor expected = golden_tensor(golden, std::string(name) + what);
      expect_close(actual, expected, {.abs = 2e-5 * expected.abs().max().item<double>()},
                   std::string(name) + what);
    };
    expect(model.embed(images), ".embedding");
    expect(model.embed(second), ".embedding_augmented");
    expect(model.text_features(), ".text_features");
  }
}

} // namespace
} // namespace vlreid
