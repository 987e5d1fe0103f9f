// The trajectories of golden/clipreid: the real training code, step by step on the reference's batches.
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/train/stage_trainer.h"
#include "vlreid/weights/load.h"

#include <ATen/Parallel.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

using nlohmann::json;

constexpr Grid kSize{64, 32};
constexpr std::int64_t kIdentities = 8;
constexpr int kAccuracyStep = 16; // images of a batch

struct Files {
  std::string name;
  json facts;
  SafetensorsFile numbers, data;

  bool is_high() const { return name.ends_with("high-lr"); }
  bool is_resnet() const { return facts["base"] == "tiny-rn.pt"; }
  std::string prompt() const {
    if (name.find("baseline") != std::string::npos) return "none";
    return name.find("ted") != std::string::npos ? "ted" : "clipreid";
  }
};

// The options of the run: a stage-2 file holds all, a stage-1 file its section.
Config config_of(const Files& files) {
  const json text = files.facts.contains("config")
                        ? files.facts["config"]
                        : json{{"SOLVER", {{"STAGE1", files.facts["stage1_config"]}}}};
  // The files were made from images of another size than their options say.
  const std::vector<std::string> pairs = {"MODEL.PROMPT", files.prompt(),    "INPUT.SIZE_TRAIN",
                                          "[64, 32]",     "INPUT.SIZE_TEST", "[64, 32]"};
  return load_config_text(text.dump(), files.name, pairs);
}

StateDict initial_state(const Files& files, const Config& config, const Recipe& recipe,
                        const StateDict& base) {
  TrainingStateOptions options{.identities = kIdentities,
                               .sie_rows = files.numbers.has("init/cv_embed")
                                               ? golden_tensor(files.numbers, "init/cv_embed").size(0)
                                               : 0,
                               .prompt = recipe.prompt,
                               .image = kSize,
                               .keeps_logit_scale = recipe.keeps_logit_scale,
                               .uses_lora = recipe.uses_lora,
                               .lora_position = config.lora.position,
                               .lora_projections = config.lora.projections,
                               .lora_rank = config.lora.rank};
  StateDict state = training_state(base, options, files.name);
  std::vector<std::filesystem::path> sources = {files.numbers.path()};
  if (files.facts.contains("init_in") && files.facts["init_in"] != "this file")
    sources.insert(sources.begin(), find_golden("clipreid/" + files.facts["init_in"].get<std::string>()));
  for (const std::filesystem::path& source : sources) {
    const SafetensorsFile file(source);
    for (const auto& entry : file.entries())
      if (const std::string name = entry.name.substr(entry.name.find('/') + 1);
          entry.name.starts_with("init/") && state.has(name))
        state.set(name, golden_tensor(file, entry.name));
  }
  return state;
}

ReidOptions model_options(const Config& config) {
  return {.image = kSize,
          .stride = 16,
          .sie_camera = config.model.sie_camera,
          .sie_view = config.model.sie_view,
          .sie_coe = config.model.sie_factor,
          .adapter = {.alpha = config.lora.alpha, .dropout = 0}};
}

at::Tensor normalised(const at::Tensor& u8, const Config& config) {
  const at::Tensor mean = at::tensor(
      std::vector<double>(config.input.pixel_mean.begin(), config.input.pixel_mean.end()), at::kFloat);
  const at::Tensor std = at::tensor(
      std::vector<double>(config.input.pixel_std.begin(), config.input.pixel_std.end()), at::kFloat);
  return ((u8.to(at::kFloat) / 255 - mean) / std).permute({0, 3, 1, 2}).contiguous();
}

std::vector<std::size_t> items_of(const at::Tensor& items) {
  std::vector<std::size_t> list;
  for (std::int64_t i = 0; i < items.numel(); ++i)
    list.push_back(static_cast<std::size_t>(items[i].item<std::int64_t>()));
  return list;
}

StateDict cloned(const ReidModel& model) {
  StateDict copy;
  for (const auto& [name, tensor] : model.state())
    copy.add(name, tensor.detach().clone());
  return copy;
}

// Parameters whose change is partly the noise of a gradient that is zero up to rounding.
bool is_noisy(const std::string& name, double change) {
  return name.find("in_proj_bias") != std::string::npos || name.find("k_proj.bias") != std::string::npos ||
         change < 1e-4;
}

class Trajectory : public testing::TestWithParam<const char*> {
protected:
  // Tiny matrices: more threads only wait for each other.
  void SetUp() override { at::set_num_threads(1); }

  // Nothing in a clone that lacks the files.
  std::unique_ptr<Files> open() const {
    const std::string name = GetParam();
    const auto numbers = find_golden("clipreid/" + name + ".safetensors"),
               data = find_golden("clipreid/train-data.safetensors");
    if (numbers.empty() || data.empty()) return nullptr;
    auto files = std::unique_ptr<Files>(new Files{name, read_golden_json("clipreid/" + name + ".json"),
                                                  SafetensorsFile(numbers), SafetensorsFile(data)});
    const bool has_base = !find_golden("common/" + files->facts["base"].get<std::string>()).empty();
    return has_base ? std::move(files) : nullptr;
  }
  StateDict base(const Files& files) const {
    return load_weights(find_golden("common/" + files.facts["base"].get<std::string>())).state;
  }
};

class Stage1 : public Trajectory {};
class Stage2 : public Trajectory {};

TEST_P(Stage1, LossesAndWordsAreTheReferences) {
  const auto files = open();
  if (!files) GTEST_SKIP() << "not part of a bare clone";
  const Config config = config_of(*files);
  const Recipe recipe = make_recipe(config);
  ReidModel model(initial_state(*files, config, recipe, base(*files)), model_options(config), files->name);
  StageTrainer trainer(model, recipe.stages.front());
  const at::Tensor features = golden_tensor(files->numbers, "image_features");
  const at::Tensor labels = golden_tensor(files->data, "labels"),
                   orders = golden_tensor(files->data, "stage1_permutations");
  const Tolerance close{.abs = files->is_high() ? 1e-3 : 1e-5};
  std::size_t iteration = 0;
  for (std::int64_t epoch = 1; epoch <= orders.size(0); ++epoch) {
    EXPECT_NEAR(trainer.rate(epoch),
                files->facts["lr_per_epoch"][static_cast<std::size_t>(epoch - 1)].get<double>(),
                5e-9 * trainer.rate(epoch));
    for (const at::Tensor& items : orders[epoch - 1].split(recipe.stages.front().solver.batch_size)) {
      const StepReport report = trainer.step({.items = items_of(items),
                                              .identities = labels.index_select(0, items),
                                              .cameras = {},
                                              .views = {},
                                              .images = {},
                                              .features = features.index_select(0, items)},
                                             epoch);
      const double expected = files->facts["loss_per_iteration"][iteration].get<double>();
      EXPECT_NEAR(report.loss, expected, 1e-4 * expected) << "iteration " << iteration;
      ++iteration;
    }
    const StateDict learned = model.state().below("prompt_learner.");
    const std::string prefix = "epoch" + std::to_string(epoch) + "/";
    for (const auto& entry : files->numbers.entries())
      if (entry.name.starts_with(prefix))
        expect_close(learned.at(entry.name.substr(prefix.size())), golden_tensor(files->numbers, entry.name),
                     close, entry.name);
  }
}

INSTANTIATE_TEST_SUITE_P(, Stage1,
                         testing::Values("train-stage1-clipreid-vit", "train-stage1-clipreid-vit-high-lr",
                                         "train-stage1-rn", "train-stage1-rn-high-lr", "train-stage1-ted",
                                         "train-stage1-ted-high-lr"));

void expect_changes(const Files& files, const StateDict& before, const StateDict& after,
                    const std::string& when) {
  for (const auto& [name, change] : files.facts["parameter_change"].items()) {
    const double expected = change["l2_after" + when].get<double>();
    const at::Tensor difference = after.at(name).detach().to(at::kDouble) - before.at(name).to(at::kDouble);
    const double share = is_noisy(name, expected) ? 0.05 : 0.01;
    EXPECT_NEAR(difference.norm().item<double>(), expected, share * expected + 1e-7)
        << name << " after " << when;
  }
}

void expect_tensors(const Files& files, const StateDict& state, const std::string& when) {
  const std::string prefix = "after" + when + "/";
  const json& drift = files.facts["sensitivity"]["tensors"];
  for (const auto& entry : files.numbers.entries()) {
    if (!entry.name.starts_with(prefix)) continue;
    const std::string name = entry.name.substr(prefix.size()), whole = name.substr(0, name.find('#'));
    if (!state.has(whole)) continue; // centres: the test itself looks at them
    at::Tensor actual = state.at(whole).detach();
    if (whole != name) actual = actual.flatten().slice(0, 0, 4096);
    const double moves = drift.value(entry.name, 0.0);
    expect_close(actual, golden_tensor(files.numbers, entry.name), {.abs = 10 * moves, .rel = 1e-5},
                 entry.name);
  }
}

TEST_P(Stage2, LossesAndWeightsAreTheReferences) {
  const auto files = open();
  if (!files) GTEST_SKIP() << "not part of a bare clone";
  const Config config = config_of(*files);
  Recipe recipe = make_recipe(config);
  Stage& stage = recipe.stages.back();
  const bool has_centers = files->numbers.has("init/centers");
  if (has_centers) stage.losses.push_back({"center", stage.solver.center_loss_weight});
  ReidModel model(initial_state(*files, config, recipe, base(*files)), model_options(config), files->name);
  if (files->numbers.has("text_features"))
    expect_close(model.text_features(), golden_tensor(files->numbers, "text_features"), {.abs = 1e-4},
                 "text features");
  const StateDict before = cloned(model);
  StageTrainer trainer(model, stage);
  if (has_centers) {
    const c10::NoGradGuard no_gradients;
    trainer.centers().detach().copy_(golden_tensor(files->numbers, "init/centers"));
  }
  const at::Tensor batches = golden_tensor(files->data, "stage2_batches"),
                   images = normalised(golden_tensor(files->data, "images_u8"), config);
  const auto label = [&](const char* name, const at::Tensor& items) {
    return golden_tensor(files->data, name).index_select(0, items);
  };
  for (std::int64_t i = 0; i < batches.size(0); ++i) {
    const at::Tensor items = batches[i];
    const std::int64_t epoch = 1 + i / 2;
    const json& expected = files->facts["iterations"][static_cast<std::size_t>(i)];
    EXPECT_NEAR(trainer.rate(epoch), expected["lr"].get<double>(), 5e-9 * trainer.rate(epoch));
    const StepReport report = trainer.step({.items = items_of(items),
                                            .identities = label("labels", items),
                                            .cameras = label("cams", items),
                                            .views = label("views", items),
                                            .images = images.index_select(0, items),
                                            .features = {}},
                                           epoch);
    const double total = expected["total"].get<double>();
    const double share = files->is_resnet() ? 3e-3 : files->is_high() ? 1e-3 : 1e-4;
    EXPECT_NEAR(report.loss, total, share * total) << "iteration " << i;
    ASSERT_TRUE(report.accuracy.has_value());
    EXPECT_NEAR(*report.accuracy, expected["accuracy"].get<double>(),
                (files->is_high() ? 1.0 / kAccuracyStep : 0) + 1e-6)
        << "iteration " << i;
    if (i == 0 || i == 7) {
      const StateDict now = model.state();
      expect_changes(*files, before, now, std::to_string(i + 1));
      expect_tensors(*files, now, std::to_string(i + 1));
    }
  }
  if (has_centers)
    expect_close(trainer.centers(), golden_tensor(files->numbers, "after8/centers"),
                 {.abs = 1e-3, .rel = 1e-3}, "centres");
}

INSTANTIATE_TEST_SUITE_P(
    , Stage2,
    testing::Values("train-stage2-baseline-rn", "train-stage2-baseline-vit",
                    "train-stage2-baseline-vit-high-lr", "train-stage2-clipreid-vit",
                    "train-stage2-clipreid-vit-adamw", "train-stage2-clipreid-vit-center-high-lr",
                    "train-stage2-clipreid-vit-high-lr", "train-stage2-clipreid-vit-no-label-smooth-high-lr",
                    "train-stage2-clipreid-vit-sgd", "train-stage2-clipreid-vit-sie-camera",
                    "train-stage2-clipreid-vit-sie-camera-high-lr",
                    "train-stage2-clipreid-vit-soft-margin-high-lr", "train-stage2-rn",
                    "train-stage2-ted-high-lr", "train-stage2-ted-lora", "train-stage2-ted-lora-high-lr",
                    "train-stage2-ted-lora-qkv-up-high-lr"));

} // namespace
} // namespace vlreid
