// Methods of one family with parts of another: what learns, steps on tiny weights; what does not go together
// is refused when the configuration is read.
#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"
#include "vlreid/base/error.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/encoders/vit.h"
#include "vlreid/train/setup.h"
#include "vlreid/weights/save.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <cmath>
#include <gtest/gtest.h>
#include <regex>
#include <set>

namespace vlreid {
namespace {

constexpr std::int64_t kPeople = 4, kImages = 8;

using Words = std::vector<std::string>;

struct Case {
  const char* name;
  const char* config; // of configs
  Words pairs = {};
  const char* first;           // what learns in stage 1, as a regular expression
  const char* second;          // and in stage 2
  const char* weights = "vit"; // or "rn"
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

ClipArchitecture tiny(const std::string& kind) {
  ClipArchitecture made{.embed = 32, .image_size = 64, .text_width = 64, .text_layers = 2};
  made.vision_width = kind == "rn" ? 8 : 64;
  made.vision_layers = 2;
  if (kind == "rn") made.resnet_layers = {1, 1, 1, 1};
  return made;
}

// Random weights of a kind, in a file of their own for the whole program.
std::string weights_file(const std::string& kind) {
  static const TempFolder folder;
  const auto path = folder / (kind + ".safetensors");
  if (!std::filesystem::exists(path)) save_safetensors(path, random_clip(tiny(kind), 1));
  return path.string();
}

Config config_of(const std::string& name, const Words& more) {
  Words pairs = {"INPUT.SIZE_TRAIN", "[64, 32]", "INPUT.SIZE_TEST",          "[64, 32]",
                 "dropout_rate",     "0",        "SOLVER.STAGE1.MAX_EPOCHS", "2"};
  pairs.insert(pairs.end(), more.begin(), more.end());
  return load_config(test_data("../configs/" + name), pairs);
}

// Two images of each person by each of two cameras.
TrainingSet people(bool has_second = false) {
  TrainingSet set{{.name = "made", .train = {}}};
  for (std::int64_t i = 0; i < kImages; ++i)
    set.train.push_back({.path = "", .identity = i % kPeople, .camera = static_cast<int>(i / kPeople)});
  if (!has_second) return set;
  set.second_begins = kImages / 2;
  set.first_identities = kPeople;
  for (std::int64_t i = kImages / 2; i < kImages; ++i)
    set.train[static_cast<std::size_t>(i)].identity += kPeople;
  return set;
}

class Combination : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    at::set_num_threads(1);
    const Case& c = GetParam();
    config_ = config_of(c.config, c.pairs);
    recipe_ = make_recipe(config_);
    model_ = make_training_model(config_, recipe_, people(config_.datasets.alternates),
                                 weights_file(c.weights), 0);
  }

  Batch batch(const Stage& stage) const {
    at::manual_seed(2);
    Batch made;
    for (std::size_t i = 0; i < kImages; ++i)
      made.items.push_back(i);
    made.identities = at::arange(kImages, at::kLong).remainder(kPeople);
    made.cameras = at::arange(kImages, at::kLong).floor_divide(kPeople);
    made.views = at::zeros_like(made.cameras);
    made.images = at::randn({kImages, 3, config_.input.train_size[0], config_.input.train_size[1]});
    if (stage.step == "prompts") made.features = model_->project_images(made.images);
    return made;
  }

  // Tensors that learn, by the regular expression of all their names.
  void expect_learning(const std::string& pattern) const {
    const std::regex expected(pattern);
    std::set<std::string> wrong;
    for (const auto& item : model_->named_parameters())
      if (std::regex_match(item.key(), expected) != item.value().requires_grad()) wrong.insert(item.key());
    EXPECT_EQ(wrong, std::set<std::string>());
  }

  Config config_;
  Recipe recipe_;
  std::shared_ptr<ReidModel> model_;
};

TEST_P(Combination, LearnsWhatItShould) {
  ASSERT_EQ(recipe_.stages.size(), 2U);
  for (const Stage& stage : recipe_.stages) {
    StageTrainer trainer(*model_, stage);
    const Batch images = batch(stage);
    expect_learning(stage.number == 1 ? GetParam().first : GetParam().second);
    const double first = trainer.step(images, 10).loss; // an epoch without warm-up
    double last = 0;
    for (int i = 0; i < 2; ++i)
      last = trainer.step(images, 10).loss;
    EXPECT_TRUE(std::isfinite(last)) << stage.number;
    EXPECT_LT(last, first) << "stage " << stage.number;
    EXPECT_EQ(trainer.broken_parameter(), "");
  }
  // What is left loads again, with the same embedding.
  model_->eval();
  ReidOptions options{.image = Grid{64, 32}, .sie_camera = config_.model.sie_camera};
  if (!model_->is_resnet()) options.stride = config_.model.stride[0];
  options.adapter.alpha = config_.lora.alpha;
  ReidModel again(model_->state(), options, "again");
  const at::Tensor images = at::randn({2, 3, 64, 32}), cameras = at::zeros({2}, at::kLong);
  model_->prepare_inference();
  expect_close(again.embed(images, cameras), model_->embed(images, cameras), {.abs = 1e-5}, "embedding");
}

#define HEADS R"(|classifier(_proj)?\.weight|bottleneck(_proj)?\.weight)"
constexpr const char* kWords = R"(prompt_learner\.(cls_)?ctx)";
constexpr const char* kTokens = R"(prompt_learner\.ctx|.*VPT(_shallow)?)";
constexpr const char* kImage = R"(logit_scale|cv_embed|image_encoder\.(?!.*VPT).*)" HEADS;
constexpr const char* kAdapter = R"(adapter\.fc\..*|logit_scale|image_encoder\..*)" HEADS;
constexpr const char* kLora = R"(image_encoder\..*(w_lora_[AB]|ln_(1|2|pre|post)\.(weight|bias)))" HEADS;

INSTANTIATE_TEST_SUITE_P(
    , Combination,
    testing::Values(
        Case{"coop with LoRA", "multimodal/coop.yml", {"MODEL.USE_LORA", "True"}, kWords, kLora},
        Case{"coop with SIE", "multimodal/coop.yml", {"MODEL.SIE_CAMERA", "True"}, kWords, kImage},
        Case{"coop of stride 16", "multimodal/coop.yml", {"MODEL.STRIDE_SIZE", "[16, 16]"}, kWords, kImage},
        Case{"coop of stride 12", "multimodal/coop.yml", {}, kWords, kImage},
        Case{"ivlp of stride 12", "multimodal/ivlp.yml", {}, kTokens, kImage},
        Case{"ivlp with LoRA", "multimodal/ivlp.yml", {"MODEL.USE_LORA", "True"}, kTokens, kLora},
        Case{"ivlp with six tokens", "multimodal/ivlp.yml", {"MODEL.VPT_CTX", "6"}, kTokens, kImage},
        Case{"ivlp with SIE", "multimodal/ivlp.yml", {"MODEL.SIE_CAMERA", "True"}, kTokens, kImage},
        Case{"promptsrc with LoRA", "multimodal/promptsrc.yml", {"MODEL.USE_LORA", "True"}, kTokens, kLora},
        Case{"promptsrc on two sets",
             "multimodal/promptsrc.yml",
             {"DATASETS.MERGED", "dukemtmc", "DATASETS.ALTERNATE", "True"},
             kTokens,
             kImage},
        Case{"clipreid with LoRA",
             "person/vit_clipreid.yml",
             {"MODEL.USE_LORA", "True", "MODEL.PROMPT", "clipreid"},
             kWords,
             R"(image_encoder\..*(w_lora_[AB]|ln_(1|2|pre|post)\.(weight|bias)))" HEADS},
        Case{"ted with tokens in the images",
             "person/vit_ted.yml",
             {"MODEL.PROMPT", "ted_visual_prompts", "MODEL.VPT_CTX", "3"},
             R"(prompt_learner\.(cls_|compound_).*|image_encoder\..*VPT(_shallow)?)",
             kImage},
        Case{"the same with LoRA",
             "person/vit_ted_lora.yml",
             {"MODEL.PROMPT", "ted_visual_prompts"},
             R"(prompt_learner\.(cls_|compound_).*|image_encoder\..*VPT(_shallow)?)",
             kLora},
        Case{"coop with a ResNet", "multimodal/cnn_coop.yml", {}, kWords, kImage, "rn"},
        Case{"adapter with a ResNet",
             "multimodal/cnn_coop.yml",
             {"MODEL.PROMPT", "adapter"},
             kWords,
             kAdapter,
             "rn"},
        Case{"augmented coop with a ResNet",
             "multimodal/cnn_coop.yml",
             {"MODEL.PROMPT", "coop_augmented"},
             kWords,
             kImage,
             "rn"}));

// Two sets that take turns: PromptSRC compares in the space shared with text, with an encoder of overlapping
// patches, and the triplets stay.
TEST(Combinations, PromptSrcOnTwoSets) {
  const Config config =
      config_of("multimodal/promptsrc.yml", {"DATASETS.MERGED", "dukemtmc", "DATASETS.ALTERNATE", "True"});
  const Recipe recipe = make_recipe(config);
  const Stage& tuning = recipe.stages.back();
  EXPECT_TRUE(has_loss(tuning, "frozen_proj") && has_loss(tuning, "triplet"));
  EXPECT_FALSE(has_loss(tuning, "frozen_feature"));
  EXPECT_TRUE(recipe.stages.front().average && tuning.average);
  const auto model = make_training_model(config, recipe, people(true), weights_file("vit"), 0);
  EXPECT_EQ(model->identities(), 2 * kPeople);
  EXPECT_EQ(model->state().at("ZS_image_encoder.positional_embedding").size(0), 1 + 5 * 2); // stride 12
  Batch batch;
  batch.items = {0, 1, 2, 3};
  batch.identities = at::arange(4, at::kLong).floor_divide(2);
  batch.images = at::randn({4, 3, 64, 32});
  const at::Tensor expected =
      smooth_l1(model->forward(batch.images).features.proj, model->frozen_features(batch.images).proj);
  StageTrainer trainer(*model, tuning);
  for (const auto& [name, value] : trainer.step(batch, 1).terms)
    if (name == "frozen_proj") {
      EXPECT_NEAR(value, expected.item<double>(), 1e-5 * value);
    }
}

// Where tokens are loaded for two sets that take turns, the image encoder's stay, as in the reference: the
// features of stage 1 are cached. Elsewhere, and in hard sharing, all tokens learn.
TEST(Combinations, LoadedTokensOfImagesStayOnTwoSets) {
  const Words turns = {"DATASETS.MERGED", "dukemtmc", "DATASETS.ALTERNATE", "True"};
  Words loads = turns;
  loads.insert(loads.end(), {"MODEL.VPT_PATH", "ivlp.pth"});
  const auto step = [](const char* name, const Words& pairs) {
    return make_recipe(config_of(name, pairs)).stages.front().step;
  };
  EXPECT_EQ(step("multimodal/ivlp.yml", loads), "prompts");
  EXPECT_EQ(step("multimodal/ivlp.yml", turns), "image_prompts");
  EXPECT_EQ(step("multimodal/ivlp.yml", {"MODEL.VPT_PATH", "ivlp.pth"}), "image_prompts");
  EXPECT_EQ(step("multimodal/ivlp_hard_sharing.yml", {"MODEL.VPT_PATH", "ivlp.pth"}), "image_prompts");
}

// A model for two sizes: images of the second get the table resized to their grid, in training and inference
// form alike, and the gradient reaches the table.
TEST(Combinations, ImagesOfTwoSizes) {
  const Config config = config_of("multimodal/ivlp_hard_sharing.yml", {"INPUT.SIZE_MERGED", "[64, 64]"});
  const auto model = make_training_model(config, make_recipe(config), people(true), weights_file("vit"), 0);
  const at::Tensor images = at::randn({2, 3, 64, 64});
  auto& encoder = dynamic_cast<VisionTransformer&>(model->image_encoder());
  const at::Tensor feature = encoder.forward(images, {}).feature;
  StateDict state = model->state();
  state.set(
      "image_encoder.positional_embedding",
      resize_positions(encoder.positional_embedding.detach(), {5, 5}, PositionResize::bicubic, Grid{5, 2}));
  ReidModel square(state, {.image = Grid{64, 64}, .stride = 12}, "square");
  expect_close(feature, square.image_encoder().forward(images, {}).feature, {.abs = 1e-5}, "training form");
  model->prepare_inference();
  expect_close(model->image_features(images).feature, feature, {.abs = 1e-5}, "inference form");
  (feature * at::randn_like(feature)).sum().backward();
  EXPECT_GT(encoder.positional_embedding.grad().abs().sum(1).min().item<double>(), 0);
  EXPECT_THROW(square.image_encoder().forward(at::randn({2, 3, 64, 32}), {}), Error);
}

struct Refused {
  const char* config;
  Words pairs;
  const char* key;    // where
  const char* reason; // part of what is said
};

TEST(Combinations, WhatDoesNotGoTogetherIsRefused) {
  const std::vector<Refused> cases = {
      {"multimodal/coop.yml", {"DATASETS.ALTERNATE", "True"}, "DATASETS.ALTERNATE", "one dataset"},
      {"multimodal/coop_hard_sharing.yml",
       {"DATASETS.ALTERNATE", "False"},
       "DATASETS.ALTERNATE",
       "two datasets"},
      {"multimodal/coop_hard_sharing.yml", {"MODEL.SIE_CAMERA", "True"}, "MODEL.SIE_CAMERA", "its table"},
      {"multimodal/coop_hard_sharing.yml", {"MODEL.IF_WITH_CENTER", "yes"}, "MODEL.IF_WITH_CENTER", "apart"},
      {"multimodal/ivlp_hard_sharing.yml", {"MODEL.NO_MARGIN", "True"}, "MODEL.NO_MARGIN", "earlier batches"},
      {"multimodal/coop.yml",
       {"DATASETS.MERGED", "dukemtmc", "INPUT.SIZE_MERGED", "[64, 64]"},
       "INPUT.SIZE_MERGED",
       "mixed in one batch"},
      {"multimodal/coop.yml", {"INPUT.SIZE_TEST", "[128, 64]"}, "INPUT.SIZE_TEST", "one size"},
      {"multimodal/coop.yml", {"MODEL.STRIDE_SIZE", "[12, 16]"}, "MODEL.STRIDE_SIZE", "two different"},
      {"multimodal/clip_adapter.yml", {"MODEL.USE_LORA", "True"}, "MODEL.USE_LORA", "does not learn"},
      {"multimodal/visual_prompts.yml", {"MODEL.USE_LORA", "True"}, "MODEL.USE_LORA", "does not learn"},
      {"multimodal/coop.yml", {"MODEL.VPT_PATH", "ivlp.pth"}, "MODEL.VPT_PATH", "has none"},
      {"multimodal/ivlp.yml", {"MODEL.FROZEN_PATH", "metaclip.bin"}, "MODEL.FROZEN_PATH", "does not use"},
      {"multimodal/ivlp.yml", {"MODEL.NAME", "RN50"}, "MODEL.PROMPT", "no blocks of tokens"},
      {"multimodal/promptsrc.yml", {"MODEL.NAME", "RN50"}, "MODEL.PROMPT", "no blocks of tokens"},
      {"multimodal/visual_prompts.yml", {"MODEL.NAME", "RN50"}, "MODEL.PROMPT", "no blocks of tokens"},
      {"multimodal/cnn_coop.yml", {"MODEL.USE_LORA", "True"}, "MODEL.USE_LORA", "no transformer blocks"},
      {"multimodal/cnn_coop.yml", {"MODEL.SIE_CAMERA", "True"}, "MODEL.SIE_CAMERA", "no class token"},
      {"multimodal/cnn_coop.yml",
       {"DATASETS.MERGED", "dukemtmc", "DATASETS.ALTERNATE", "True", "INPUT.SIZE_MERGED", "[64, 64]"},
       "INPUT.SIZE_MERGED",
       "one grid"}};
  for (const Refused& c : cases) {
    try {
      make_recipe(config_of(c.config, c.pairs));
      ADD_FAILURE() << c.config << " with " << c.pairs.front() << " is not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      const std::string text = error.what();
      EXPECT_TRUE(text.starts_with(c.key)) << text;
      EXPECT_NE(text.find(c.reason), std::string::npos) << text;
    }
  }
}

} // namespace
} // namespace vlreid
