// The trajectories of golden/multimodal, on one set and on two that take turns: the
// real training code, step by step on the reference's batches.
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "vlreid/image/decode.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/train/stage_trainer.h"
#include "vlreid/transforms/train_transform.h"
#include "vlreid/weights/load.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <cstdio>
#include <gtest/gtest.h>
#include <set>

namespace vlreid {
namespace {

using nlohmann::json;

constexpr Grid kSize{64, 32};
constexpr std::int64_t kFirstNumbers = 16; // what is stored of long tensors that are not learned anew
constexpr std::size_t kFirstSetImages = 60;
constexpr double kStepTolerance = 2e-6;

struct Files {
  std::string name;
  json facts;
  SafetensorsFile numbers, data;
  StateDict base;

  bool has_two_sets() const { return facts.contains("n_cls2"); }
  bool is_hard() const { return name.find("-hard-") != std::string::npos; }
  std::string method() const {
    if (!is_hard()) return facts["mode"];
    return name.find("ivlp") == std::string::npos ? "coop_hard_sharing" : "ivlp_hard_sharing";
  }
  at::Tensor get(const std::string& tensor) const { return golden_tensor(numbers, tensor); }
};

// The names of the reference's hard-sharing programs in the state of our model.
std::string our_name(const std::string& name) {
  for (const auto& [theirs, ours] :
       std::vector<std::pair<std::string, std::string>>{{"prompter1.", "prompt_learner."},
                                                        {"prompter2.", "second.prompt_learner."},
                                                        {"classifier1.", ""},
                                                        {"classifier2.", "second."},
                                                        {"text_encoder1.", "text_encoder."},
                                                        {"text_encoder2.", "second.text_encoder."}})
    if (name.starts_with(theirs)) return ours + name.substr(theirs.size());
  return name;
}

Config config_of(const Files& files) {
  const int epochs = files.facts.value("epochs_stage2", 2);
  const std::vector<std::string> pairs = {
      "SOLVER.STAGE1.MAX_EPOCHS",    "3",  "SOLVER.STAGE2.MAX_EPOCHS",    std::to_string(epochs),
      "SOLVER.STAGE1.IMS_PER_BATCH", "16", "SOLVER.STAGE2.IMS_PER_BATCH", "16"};
  return load_config(test_data("../configs/multimodal/" + files.method() + ".yml"), pairs);
}

class MultimodalTrajectory : public testing::TestWithParam<const char*> {
protected:
  void SetUp() override {
    at::set_num_threads(1);
    const std::string name = GetParam();
    const auto numbers = find_golden("multimodal/" + name + ".safetensors"),
               data = find_golden("multimodal/train-images.safetensors"),
               base = find_golden("common/tiny-vit.pt");
    if (numbers.empty() || data.empty() || base.empty()) GTEST_SKIP() << "not part of a bare clone";
    files_.reset(new Files{name, read_golden_json("multimodal/" + name + ".json"), SafetensorsFile(numbers),
                           SafetensorsFile(data), load_weights(base).state});
    config_ = config_of(*files_);
    recipe_ = make_recipe(config_);
    model_ = make_model();
  }

  std::unique_ptr<ReidModel> make_model() const {
    if (!files_->is_hard()) return make_model(files_->has_two_sets() ? 9 : 5, "");
    auto model = make_model(5, "");
    model->add_second(make_model(4, "second."), recipe_.has_two_texts);
    return model;
  }

  // With the first values of the file whose names begin with `part` in our model.
  std::unique_ptr<ReidModel> make_model(std::int64_t identities, const std::string& part) const {
    StateDict state = training_state(files_->base,
                                     {.identities = identities,
                                      .prompt = recipe_.prompt,
                                      .image = kSize,
                                      .stride = config_.model.stride[0],
                                      .resize = recipe_.resize,
                                      .keeps_logit_scale = recipe_.keeps_logit_scale,
                                      .names = recipe_.names,
                                      .deep_prompts = recipe_.deep_prompts,
                                      .adapts_feature = recipe_.adapts_feature,
                                      .keeps_frozen_encoder = recipe_.keeps_frozen_encoder},
                                     files_->name);
    for (const auto& entry : files_->numbers.entries()) {
      if (!entry.name.starts_with("init.")) continue;
      const std::string name = our_name(entry.name.substr(5));
      if (name.starts_with(part) && state.has(name.substr(part.size())))
        state.set(name.substr(part.size()), files_->get(entry.name));
    }
    return std::make_unique<ReidModel>(state,
                                       ReidOptions{.image = kSize,
                                                   .stride = config_.model.stride[0],
                                                   .keeps_frozen_encoder = recipe_.keeps_frozen_encoder},
                                       files_->name);
  }

  using Epochs = std::vector<std::vector<at::Tensor>>; // image numbers of each batch

  // Images and labels of the second set follow those of the first.
  at::Tensor of_both_sets(const std::string& name, std::int64_t shift) const {
    const at::Tensor first = golden_tensor(files_->data, name + "1");
    if (!files_->has_two_sets()) return first;
    return at::cat({first, golden_tensor(files_->data, name + "2") + shift});
  }
  at::Tensor images() const { return of_both_sets("images", 0); }

  // The second set's turn comes after each of the first, as long as it has batches.
  std::vector<at::Tensor> in_turn(const at::TensorList& first, const at::TensorList& second) const {
    std::vector<at::Tensor> turns;
    const bool ends = recipe_.stages.front().ends_with_shorter_set;
    for (std::size_t i = 0; i < (ends ? std::min(first.size(), second.size()) : first.size()); ++i) {
      turns.push_back(first[i]);
      if (files_->has_two_sets() && i < second.size())
        turns.push_back(second[i] + golden_tensor(files_->data, "labels1").numel());
    }
    return turns;
  }

  Epochs epochs_of_stage1(std::int64_t batch_size) const {
    const at::Tensor first = golden_tensor(files_->data, "stage1.orders1"),
                     second = golden_tensor(files_->data, "stage1.orders2");
    Epochs epochs;
    for (std::int64_t i = 0; i < first.size(0); ++i)
      epochs.push_back(in_turn(first[i].split(batch_size), second[i].split(batch_size)));
    return epochs;
  }

  Epochs epochs_of_stage2() const {
    const auto first = golden_tensor(files_->data, "stage2.batches1").unbind(),
               second = golden_tensor(files_->data, "stage2.batches2").unbind();
    const std::size_t length = files_->has_two_sets() ? 2 : 4;
    Epochs epochs;
    for (const std::size_t begin : {std::size_t{0}, length})
      epochs.push_back(
          in_turn(at::TensorList(first).slice(begin, length), at::TensorList(second).slice(begin, length)));
    return epochs;
  }

  Batch batch_of(const at::Tensor& items, const at::Tensor& features = {}) const {
    Batch batch;
    for (std::int64_t i = 0; i < items.numel(); ++i)
      batch.items.push_back(static_cast<std::size_t>(items[i].item<std::int64_t>()));
    batch.set = files_->is_hard() && batch.items.front() >= kFirstSetImages ? 1 : 0;
    batch.identities = of_both_sets("labels", files_->is_hard() ? 0 : 5).index_select(0, items);
    if (features.defined()) batch.features = features.index_select(0, items);
    if (!features.defined()) batch.images = images().index_select(0, items);
    return batch;
  }

  static StateDict copy_of(const ReidModel& model) {
    StateDict copy;
    for (const auto& [name, tensor] : model.state())
      copy.add(name, tensor.detach().clone());
    return copy;
  }

  // "stage2.it8." and so on: every tensor that the file has under the prefix.
  void expect_tensors(const StateDict& actual, const std::string& prefix,
                      const std::function<Tolerance(const at::Tensor&)>& tolerance) const {
    for (const auto& entry : files_->numbers.entries()) {
      if (!entry.name.starts_with(prefix)) continue;
      const at::Tensor expected = files_->get(entry.name);
      at::Tensor tensor = actual.at(our_name(entry.name.substr(prefix.size()))).detach();
      if (tensor.sizes() != expected.sizes()) {
        ASSERT_EQ(expected.numel(), kFirstNumbers) << entry.name;
        tensor = tensor.flatten().slice(0, 0, expected.numel());
      }
      expect_close(tensor, expected, tolerance(expected), entry.name);
    }
  }
  void expect_values(const ReidModel& model, const std::string& prefix) const {
    expect_tensors(model.state(), prefix, [](const at::Tensor&) { return Tolerance{.abs = kStepTolerance}; });
  }

  void expect_changes(const StateDict& before, const ReidModel& model, const json& expected,
                      double share) const {
    const StateDict after = model.state();
    for (const auto& [name, change] : expected.items()) {
      const at::Tensor difference =
          after.at(our_name(name)).detach().to(at::kDouble) - before.at(our_name(name)).to(at::kDouble);
      EXPECT_NEAR(difference.norm().item<double>(), change.get<double>(), share * change.get<double>() + 1e-8)
          << name;
    }
  }

  // Of the first step, on a model of its own: half of the loss is left waiting for a second batch.
  void expect_first_gradients(const Stage& stage, const Batch& batch, const json& facts,
                              const std::string& prefix) const {
    const auto model = make_model();
    StageTrainer trainer(*model, stage, {.accumulate = 2});
    trainer.step(batch, 1);
    std::set<std::string> learning, expected;
    StateDict own;
    for (const auto& item : model->named_parameters())
      if (item.value().grad().defined()) own.add(item.key(), 2 * item.value().grad());
    const StateDict renamed = rename(own, Family::clip_reid, Family::mm, "gradients");
    for (const auto& [name, norm] : facts["grad_norm_iteration_1"].items()) {
      expected.insert(our_name(name));
      ASSERT_TRUE(renamed.has(our_name(name))) << name;
      EXPECT_NEAR(renamed.at(our_name(name)).norm().item<double>(), norm.get<double>(),
                  1e-4 * norm.get<double>())
          << name;
    }
    for (const auto& [name, tensor] : renamed)
      learning.insert(name);
    EXPECT_EQ(learning, expected);
    expect_tensors(renamed, prefix, [](const at::Tensor& tensor) {
      return Tolerance{.abs = 2e-4 * tensor.abs().max().item<double>() + 1e-9};
    });
  }

  // Of the trained model, which is left in evaluation mode.
  void expect_embedding() {
    const auto images = find_golden("multimodal/prompts-coop.safetensors");
    if (images.empty()) return;
    model_->eval();
    model_->prepare_inference();
    const at::Tensor expected = files_->get("final.embedding");
    expect_close(model_->embed(golden_tensor(SafetensorsFile(images), "images")), expected,
                 {.abs = 2e-5 * expected.abs().max().item<double>()}, "embedding");
  }

  static void load_state(ReidModel& model, const StateDict& state) {
    const c10::NoGradGuard no_gradients;
    for (const auto& [name, tensor] : model.state())
      at::Tensor(tensor).copy_(state.at(name));
  }
  static at::Tensor tensor_at(const ReidModel& model, const std::string& name) {
    return model.state().at(name);
  }

  std::unique_ptr<Files> files_;
  Config config_;
  Recipe recipe_;
  std::unique_ptr<ReidModel> model_;
};

TEST_P(MultimodalTrajectory, Stage1) {
  const Stage& stage = recipe_.stages.front();
  const json& facts = files_->facts["stage1"];
  const Epochs epochs = epochs_of_stage1(stage.solver.batch_size);
  StageTrainer trainer(*model_, stage);
  at::Tensor features;
  if (trainer.uses_cached_features()) features = model_->project_images(images());
  expect_first_gradients(stage, batch_of(epochs[0][0], features), facts, "stage1.grad1.");
  const StateDict before = copy_of(*model_);
  std::size_t step = 0;
  for (std::int64_t epoch = 1; epoch <= std::ssize(epochs); ++epoch) {
    for (const at::Tensor& items : epochs[static_cast<std::size_t>(epoch - 1)]) {
      const StepReport report = trainer.step(batch_of(items, features), epoch);
      double loss = 0;
      for (const json& term : facts["loss_terms"][step])
        loss += term.get<double>();
      EXPECT_NEAR(report.loss, loss, 2e-5 * loss) << "step " << step;
      const double rate = facts["lr_per_iteration"][step];
      EXPECT_NEAR(trainer.rate(epoch), rate, 1e-12 * rate);
      const std::string name = "it" + std::to_string(++step);
      if (!facts["change_l2"].contains(name)) continue;
      expect_values(*model_, "stage1." + name + ".");
      expect_changes(before, *model_, facts["change_l2"][name], 1e-4);
    }
    trainer.finish_epoch(epoch);
  }
  EXPECT_EQ(step, facts["loss_terms"].size());
  expect_values(*model_, "stage1.final.");
}

TEST_P(MultimodalTrajectory, Stage2) {
  const Stage& stage = recipe_.stages.back();
  const json& facts = files_->facts["stage2"];
  if (files_->numbers.has("stage2.text_features")) {
    const at::Tensor text = files_->get("stage2.text_features");
    expect_close(model_->text_features(), text, {.abs = 2e-5 * text.abs().max().item<double>()}, "text");
  }
  for (int set = 0; set < 2; ++set)
    if (const std::string name = "stage2.text_features" + std::to_string(set + 1);
        files_->numbers.has(name)) {
      const at::Tensor text = files_->get(name);
      expect_close(model_->of_set(set).text_features(), text, {.abs = 2e-5 * text.abs().max().item<double>()},
                   name);
    }
  const Epochs epochs = epochs_of_stage2();
  expect_first_gradients(stage, batch_of(epochs[0][0]), facts, "stage2.grad1.");
  StageTrainer trainer(*model_, stage);
  const StateDict before = copy_of(*model_);
  std::size_t step = 0;
  for (std::int64_t epoch = 1; epoch <= std::ssize(epochs); ++epoch) {
    for (const at::Tensor& items : epochs[static_cast<std::size_t>(epoch - 1)]) {
      const StepReport report = trainer.step(batch_of(items), epoch);
      const double total = facts["total"][step], rate = facts["lr_per_iteration_weight_and_bias"][step][0];
      EXPECT_NEAR(report.loss, total, 2e-5 * total) << "step " << step;
      EXPECT_NEAR(trainer.rate(epoch), rate, 1e-12 * rate);
      const std::string name = "it" + std::to_string(++step);
      if (!facts["change_l2"].contains(name)) continue;
      expect_values(*model_, "stage2." + name + ".");
      expect_changes(before, *model_, facts["change_l2"][name], 5e-3);
    }
    trainer.finish_epoch(epoch);
  }
  expect_values(*model_, "stage2.final.");
  if (facts.contains("num_batches_tracked_final")) {
    EXPECT_EQ(tensor_at(*model_, "vision_bottleneck.num_batches_tracked").item<std::int64_t>(),
              facts["num_batches_tracked_final"].get<std::int64_t>());
  }
  expect_embedding();
}

TEST_P(MultimodalTrajectory, StartsFromTheResizedPositions) {
  const char* name = "image_encoder.positional_embedding";
  if (!files_->numbers.has(std::string("base.") + name)) GTEST_SKIP() << "not in this file";
  expect_close(tensor_at(*model_, name), files_->get(std::string("base.") + name), {.abs = 1e-6}, name);
}

INSTANTIATE_TEST_SUITE_P(, MultimodalTrajectory,
                         testing::Values("train-coop", "train-adapter", "train-ivlp", "train-promptsrc-sane",
                                         "train-multitask-shared-coop", "train-multitask-hard-coop",
                                         "train-multitask-hard-ivlp-sane"));

// Bug 7: the reference takes up the average of stage 1 one epoch early, where its weights do not sum up to 1
// yet, so that what is averaged shrinks; then comes one more epoch. The real steps with that fault put in
// give the reference's numbers; the runs without it are tested above.
class FaultyTrajectory : public MultimodalTrajectory {
protected:
  void SetUp() override {
    MultimodalTrajectory::SetUp();
    if (IsSkipped()) return;
    average_ = *recipe_.stages.front().average;
    recipe_.stages.front().average.reset();
  }

  void gather(double weight) {
    for (const auto& [name, tensor] : state_of_part()) {
      const at::Tensor share = weight * tensor.detach().to(at::kDouble);
      sum_.set(name, sum_.has(name) ? sum_.at(name) + share : share);
    }
  }
  void take_up() {
    const c10::NoGradGuard no_gradients;
    for (const auto& [name, tensor] : state_of_part())
      at::Tensor(tensor).copy_(sum_.at(name));
  }

private:
  StateDict state_of_part() const {
    StateDict part;
    for (const auto& [name, tensor] : model_->state())
      if (name.starts_with(average_.part)) part.add(name, tensor);
    return part;
  }

protected:
  EpochAverage average_;

private:
  StateDict sum_;
};

TEST_P(FaultyTrajectory, Stage1TakesUpItsAverageEarly) {
  const Stage& stage = recipe_.stages.front();
  const json& facts = files_->facts["stage1"];
  const Epochs epochs = epochs_of_stage1(stage.solver.batch_size);
  const std::vector<double> weights = epoch_weights(average_, std::ssize(epochs));
  StageTrainer trainer(*model_, stage);
  std::size_t step = 0;
  for (std::size_t epoch = 0; epoch < epochs.size(); ++epoch) {
    if (epoch + 1 == epochs.size()) take_up();
    for (const at::Tensor& items : epochs[epoch]) {
      const StepReport report = trainer.step(batch_of(items), static_cast<std::int64_t>(epoch) + 1);
      double loss = 0;
      for (const json& term : facts["loss_terms"][step])
        loss += term.get<double>();
      EXPECT_NEAR(report.loss, loss, 2e-5 * loss) << "step " << step;
      const std::string name = "it" + std::to_string(++step);
      if (facts["change_l2"].contains(name)) expect_values(*model_, "stage1." + name + ".");
    }
    gather(weights[epoch]);
  }
  EXPECT_EQ(step, facts["loss_terms"].size());
}

INSTANTIATE_TEST_SUITE_P(, FaultyTrajectory, testing::Values("train-promptsrc", "train-multitask-hard-ivlp"));

// Two sets of one batch an epoch; the memory of earlier batches begins with the eleventh.
class MemoryTrajectory : public MultimodalTrajectory {
protected:
  static constexpr std::int64_t kBegins = 11, kTermsBefore = 6; // epoch; terms of a step without the memory

  Batch batch_of_epoch(std::int64_t epoch, int set) const {
    const std::string name = "stage2.batches" + std::to_string(set + 1);
    const at::Tensor lists = golden_tensor(files_->data, name), items = lists[(epoch - 1) % lists.size(0)];
    return batch_of(items + set * static_cast<std::int64_t>(kFirstSetImages));
  }
  at::Tensor proj_of(const Batch& batch) const {
    const c10::NoGradGuard no_gradients;
    return model_->image_encoder().forward(batch.images, {}).proj;
  }
  const json& terms(std::size_t step) const { return files_->facts["stage2"]["loss_terms"][step]; }

  // Everything but the triplet over the memory.
  void expect_other_terms(const StepReport& report, std::size_t step, double share) const {
    const std::vector<double> weights = files_->facts["stage2"]["weights"];
    double expected = 0, actual = report.loss;
    for (std::size_t i = 0; i < kTermsBefore; ++i)
      expected += weights[i] * terms(step)[i].get<double>();
    for (const auto& [name, value] : report.terms)
      if (name == "memory_triplet") actual -= weights[kTermsBefore] * value;
    EXPECT_NEAR(actual, expected, share * expected) << "step " << step;
  }
};

// Bug 11: integer masks pick rows 0 and 1 of the distances for every anchor, and a row's own entry is its
// hardest negative, at no distance; places that are not filled are zero vectors.
double faulty_memory_triplet(const at::Tensor& rows, const at::Tensor& memory) {
  const at::Tensor first = rows.slice(0, 0, 2).to(at::kDouble);
  const at::Tensor distances =
      (first.unsqueeze(1) - memory.to(at::kDouble).unsqueeze(0)).norm(2, {2}); // [2, M]
  return distances.max().item<double>() + 0.3;
}

double term_of(const StepReport& report, const std::string& name) {
  for (const auto& [term, value] : report.terms)
    if (term == name) return value;
  return -1;
}

TEST_P(MemoryTrajectory, IsTheReferencesUpToTheFaultyLoss) {
  StageTrainer trainer(*model_, recipe_.stages.back());
  const json& facts = files_->facts["stage2"];
  const StateDict before = copy_of(*model_);
  std::size_t step = 0;
  for (std::int64_t epoch = 1; epoch < kBegins; ++epoch)
    for (const int set : {0, 1}) {
      const StepReport report = trainer.step(batch_of_epoch(epoch, set), epoch);
      EXPECT_EQ(term_of(report, "memory_triplet"), -1) << epoch;
      expect_other_terms(report, step, 2e-5);
      const std::string name = "it" + std::to_string(++step);
      if (!facts["change_l2"].contains(name)) continue;
      expect_values(*model_, "stage2." + name + ".");
      expect_changes(before, *model_, facts["change_l2"][name], 5e-3);
    }
  for (const int set : {0, 1}) { // the first steps with it: the memory holds this batch alone
    const Batch batch = batch_of_epoch(kBegins, set);
    const at::Tensor proj = proj_of(batch);
    const StepReport report = trainer.step(batch, kBegins);
    const double share = set == 0 ? 2e-5 : 1e-3; // the second follows an update by the sane loss
    expect_other_terms(report, step, share);
    const double faulty = terms(step++)[kTermsBefore], sane = term_of(report, "memory_triplet");
    EXPECT_NEAR(faulty_memory_triplet(proj, at::cat({proj, at::zeros_like(proj)})), faulty, share * faulty);
    const TripletDistances hardest = hardest_distances(proj, batch.identities);
    EXPECT_NEAR(sane, (hardest.positive - hardest.negative + 0.3).relu().mean().item<double>(), 1e-3 * sane);
    EXPECT_GT(std::abs(sane - faulty), 1);
  }
}

TEST_P(MemoryTrajectory, TheMemoryIsPartOfTheState) {
  StageTrainer trainer(*model_, recipe_.stages.back());
  for (const int set : {0, 1, 0})
    trainer.step(batch_of_epoch(1 + set, set), kBegins);
  const StateDict halfway = copy_of(*model_);
  StateDict learning;
  for (const auto& [name, tensor] : trainer.state())
    learning.add(name, tensor.clone());
  EXPECT_EQ(learning.at("memory.0.labels").ge(0).sum().item<std::int64_t>(), 32);
  EXPECT_EQ(learning.at("memory.1.labels").ge(0).sum().item<std::int64_t>(), 16);
  std::vector<double> expected;
  for (const int set : {0, 1})
    expected.push_back(trainer.step(batch_of_epoch(3, set), kBegins).loss);

  const auto again = make_model();
  load_state(*again, halfway);
  StageTrainer resumed(*again, recipe_.stages.back());
  resumed.load(learning, "state");
  for (const int set : {0, 1})
    EXPECT_EQ(resumed.step(batch_of_epoch(3, set), kBegins).loss, expected[static_cast<std::size_t>(set)]);
  for (const auto& [name, tensor] : again->state())
    EXPECT_TRUE(tensor.equal(tensor_at(*model_, name))) << name;
}

INSTANTIATE_TEST_SUITE_P(, MemoryTrajectory, testing::Values("train-multitask-hard-ivlp-xbm"));

TEST(BatchMemory, AFullRingBeginsAgain) {
  BatchMemory memory(2, 1, at::kCPU);
  const auto put = [&](std::vector<float> rows) {
    const auto count = static_cast<std::int64_t>(rows.size());
    return memory.with(at::tensor(rows).view({count, 1}), at::full({count}, 7, at::kLong));
  };
  EXPECT_TRUE(put({1, 2}).labels.equal(at::tensor({7, 7, -1, -1}, at::kLong)));
  EXPECT_TRUE(put({3}).own.equal(at::tensor({2}, at::kLong)));
  const TripletMemory last = put({4, 5}); // does not fit behind the third
  EXPECT_TRUE(last.own.equal(at::tensor({2, 3}, at::kLong)));
  EXPECT_TRUE(last.features.flatten().equal(at::tensor({1.F, 2.F, 4.F, 5.F})));
  EXPECT_TRUE(put({6}).own.equal(at::tensor({0}, at::kLong)));
}

// The images of all trajectories, from their files by our own stage-1 transform.
TEST(MultimodalImages, AreTheReferences) {
  VLREID_GOLDEN(path, "multimodal/train-images.safetensors");
  const std::filesystem::path crops = test_data("../../shared/data/pets09-reid");
  if (!std::filesystem::exists(crops)) GTEST_SKIP() << "the crops are not part of a bare clone";
  const SafetensorsFile golden(path);
  const json facts = read_golden_json("multimodal/train-images.json");
  TrainTransform transform({.height = facts["size"][0], .width = facts["size"][1], .padding = 0});
  Image resized;
  for (const std::string set : {"1", "2"}) {
    const at::Tensor expected = golden_tensor(golden, "images" + set);
    ASSERT_EQ(expected.size(0), std::ssize(facts["files" + set]));
    for (std::int64_t i = 0; i < expected.size(0); ++i) {
      transform.resize(load_image((crops / facts["files" + set][static_cast<std::size_t>(i)]).string()),
                       resized);
      const at::Tensor made = at::empty({3, 64, 32});
      transform.run(resized, {.crop = {0, 0}}, {made.mutable_data_ptr<float>(), transform.size()});
      expect_close(made, expected[i], {.abs = 1e-6}, set + " " + std::to_string(i));
    }
  }
}

TEST(EpochWeights, AreTheReferences) {
  VLREID_GOLDEN(path, "multimodal/schedules.json");
  const json facts = read_golden_json("multimodal/schedules.json")["gaussian_prompt_aggregation"];
  for (const auto& [name, expected] : facts.items()) {
    EpochAverage average;
    int epochs = 0;
    ASSERT_EQ(
        std::sscanf(name.c_str(), "mu=%lf,sigma=%lf,epochs=%d", &average.mean, &average.deviation, &epochs),
        3);
    const std::vector<double> weights = epoch_weights(average, epochs);
    ASSERT_EQ(weights.size(), expected.size());
    for (std::size_t i = 0; i < weights.size(); ++i)
      EXPECT_NEAR(weights[i], expected[i].get<double>(), 1e-12) << name;
  }
}

// Bug 7: the reference takes up the average of stage 1 an epoch early, which shrinks the words by the missing
// weight.
TEST(EpochWeights, TheReferencesStage1Shrinks) {
  VLREID_GOLDEN(faulty, "multimodal/train-promptsrc.safetensors");
  VLREID_GOLDEN(sane, "multimodal/train-promptsrc-sane.safetensors");
  const char* words = "stage1.it8.prompt_learner.ctx"; // two epochs of three, before the average can act
  expect_close(golden_tensor(SafetensorsFile(faulty), words), golden_tensor(SafetensorsFile(sane), words), {},
               words);
  const char* end = "stage1.it12.prompt_learner.ctx";
  const double shrunk = golden_tensor(SafetensorsFile(faulty), end).norm().item<double>(),
               whole = golden_tensor(SafetensorsFile(sane), end).norm().item<double>();
  EXPECT_LT(shrunk, 0.9 * whole);
}

} // namespace
} // namespace vlreid
