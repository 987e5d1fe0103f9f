#include "vlreid/base/error.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/reid/geometry.h"
#include "vlreid/reid/model.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

constexpr Grid kSize{64, 32};

StateDict plain() {
  return random_clip(published_clip("tiny-vit"), 1);
}

// A baseline checkpoint of 5 identities over the tiny encoder at 64x32.
StateDict baseline(std::int64_t cameras = 0) {
  ReidModel model(plain(), {.image = kSize}, "tiny");
  StateDict state;
  if (cameras > 0) state.add("cv_embed", at::randn({cameras, 64}));
  for (const auto& [suffix, width] : {std::pair{"", 64}, {"_proj", 32}}) {
    state.add(std::string("classifier") + suffix + ".weight", at::randn({5, width}));
    state.add(std::string("bottleneck") + suffix + ".weight", at::ones({width}));
    state.add(std::string("bottleneck") + suffix + ".bias", at::zeros({width}));
    state.add(std::string("bottleneck") + suffix + ".running_mean", at::randn({width}));
    state.add(std::string("bottleneck") + suffix + ".running_var", at::full({width}, 4.0));
    state.add(std::string("bottleneck") + suffix + ".num_batches_tracked", at::full({}, 7, at::kLong));
  }
  for (const auto& [name, tensor] : model.state())
    if (name.starts_with("image_encoder.")) state.add(name, tensor.detach().clone());
  return state;
}

std::string message_of(const StateDict& state, const ReidOptions& options) {
  try {
    ReidModel model(state, options, "file.pth");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ReidModel, PlainClipBecomesAZeroShotModelOfAnySize) {
  ReidModel model(plain(), {}, "tiny");
  EXPECT_EQ(model.image_size(), (Grid{256, 128}));
  EXPECT_EQ(model.embed(at::randn({2, 3, 256, 128})).sizes(), (std::vector<std::int64_t>{2, 96}));
  EXPECT_FALSE(model.has_prompts());
  EXPECT_EQ(model.encode_text(at::arange(5).view({1, 5})).sizes(), (std::vector<std::int64_t>{1, 32}));
  ReidModel overlapping(plain(), {.image = kSize, .stride = 12, .resize = PositionResize::bicubic}, "tiny");
  EXPECT_EQ(overlapping.image_encoder().grid(), (Grid{5, 2}));
  EXPECT_EQ(overlapping.embed(at::randn({1, 3, 64, 32})).size(1), overlapping.embedding_width());
}

TEST(ReidModel, EveryInferenceTypeIsCloseToTheTrainingForm) {
  for (const char* name : {"tiny-vit", "tiny-rn"}) {
    const StateDict weights = random_clip(published_clip(name), 3);
    const at::Tensor images = at::randn({3, 3, 64, 32});
    ReidModel model(weights, {.image = kSize}, name);
    const ImageFeatures trained = model.image_encoder().forward(images, {});
    const at::Tensor expected = at::cat({trained.feature, trained.proj}, 1);
    EXPECT_TRUE(at::allclose(model.embed(images), expected, 1e-4, 1e-4)) << name;
    for (const InferenceType type : {InferenceType{.type = at::kBFloat16}, InferenceType{.is_int8 = true}}) {
      ReidModel rough(weights, {.image = kSize, .inference = type}, name);
      const at::Tensor actual = rough.embed(images);
      EXPECT_EQ(actual.scalar_type(), at::kFloat);
      EXPECT_GT((actual * expected).sum().item<double>() / (actual.norm() * expected.norm()).item<double>(),
                0.999)
          << name;
    }
  }
}

TEST(ReidModel, PartsOfALargeBatchEqualTheWhole) {
  ReidModel model(plain(), {.image = kSize}, "tiny");
  const at::Tensor images = at::randn({300, 3, 64, 32});
  const at::Tensor all = model.embed(images);
  EXPECT_TRUE(at::allclose(all.slice(0, 290), model.embed(images.slice(0, 290)), 1e-5, 1e-5));
}

TEST(ReidModel, StateComesBackUnchanged) {
  const StateDict weights = baseline(6);
  ReidModel model(weights, {.image = kSize, .sie_camera = true}, "file.pth");
  EXPECT_EQ(model.identities(), 5);
  EXPECT_EQ(model.cameras(), 6);
  EXPECT_EQ(model.views(), 0);
  const StateDict state = model.state();
  ASSERT_EQ(state.size(), weights.size());
  for (const auto& [name, tensor] : weights)
    EXPECT_TRUE(at::allclose(state.at(name), tensor, 0, 0)) << name;
}

TEST(ReidModel, GradientsReachEveryWeightOfTheImageSide) {
  ReidModel model(baseline(), {.image = kSize}, "file.pth");
  model.train();
  const TrainingOutput output = model.forward(at::randn({4, 3, 64, 32}));
  (output.score.square().sum() + output.score_proj.square().sum() + output.features.last.sum()).backward();
  for (const auto& item : model.named_parameters())
    EXPECT_TRUE(item.value().grad().defined()) << item.key();
}

TEST(ReidModel, ASieTableHasToBeExplained) {
  EXPECT_NE(message_of(baseline(6), {.image = kSize}).find("cv_embed with 6 rows"), std::string::npos);
  EXPECT_NE(message_of(baseline(), {.image = kSize, .sie_camera = true}).find("no cv_embed"),
            std::string::npos);
  EXPECT_NE(message_of(baseline(6), {.image = kSize, .sie_camera = true, .sie_view = true, .views = 4})
                .find("views"),
            std::string::npos);
  ReidModel model(baseline(6), {.image = kSize, .sie_camera = true}, "file.pth");
  const at::Tensor images = at::randn({2, 3, 64, 32});
  EXPECT_THROW(model.embed(images), Error);
  EXPECT_THROW(model.embed(images, at::full({2}, 6, at::kLong)), Error);
  EXPECT_EQ(model.embed(images, at::full({2}, 5, at::kLong)).size(0), 2);
}

TEST(ReidModel, DamagedFilesNameTheTensors) {
  StateDict state;
  for (const auto& [name, tensor] : baseline())
    if (name != "image_encoder.ln_post.bias")
      state.add(name, name == "image_encoder.proj" ? at::zeros({64, 16}) : tensor);
  state.add("unknown.weight", at::zeros({1}));
  const std::string message = message_of(state, {.image = kSize});
  EXPECT_NE(message.find("image_encoder.ln_post.bias"), std::string::npos) << message;
  EXPECT_NE(message.find("unknown.weight"), std::string::npos) << message;
  EXPECT_NE(message_of(baseline(), {.image = Grid{256, 128}, .stride = 16}).find("129 rows"),
            std::string::npos);
  EXPECT_THROW(ReidModel(StateDict(), {}, "file.pth"), Error);
}

TEST(ReidModel, NeckAfterNeedsANeck) {
  ReidModel model(plain(), {.image = kSize, .neck = NeckFeature::after}, "tiny");
  EXPECT_THROW(model.embed(at::randn({1, 3, 64, 32})), Error);
}

TEST(Geometry, StrideFollowsFromSizeAndTable) {
  StateDict visual;
  visual.add("conv1.weight", at::zeros({64, 3, 16, 16}));
  visual.add("positional_embedding", at::zeros({211, 64}));
  const Geometry overlapping = infer_geometry(visual, {.image = Grid{256, 128}, .stride = {}}, "f");
  EXPECT_EQ(overlapping.stride, 12);
  visual.set("positional_embedding", at::zeros({130, 64}));
  EXPECT_THROW(infer_geometry(visual, {.image = Grid{256, 128}, .stride = {}}, "f"), Error);
  EXPECT_THROW(infer_geometry(visual, {.image = {}, .stride = {}}, "f"), Error);
}

} // namespace
} // namespace vlreid
