// Pre-training: its step against the formula, what decays, which sentence is drawn, files that give the model
// back, and a run that is stopped anywhere.
#include "vlreid/train/pretrain.h"

#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/train/run_loop.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace vlreid {
namespace {

constexpr ClipArchitecture kTiny = {.embed = 16,
                                    .image_size = 16,
                                    .vision_width = 64,
                                    .vision_layers = 2,
                                    .patch = 4,
                                    .text_width = 64,
                                    .text_layers = 2,
                                    .vocabulary = 50,
                                    .context_length = 8};
constexpr Grid kImage = {16, 8}; // a grid of 4 x 2

std::shared_ptr<ReidModel> tiny_model() {
  return std::make_shared<ReidModel>(random_clip(kTiny, 1), ReidOptions{.image = kImage, .stride = 4},
                                     "tiny");
}

// Pairs that follow from the key alone; the end token stands at position 5.
Batch tiny_batch(std::uint64_t key, std::vector<std::size_t> items) {
  at::manual_seed(key);
  const auto count = static_cast<std::int64_t>(items.size());
  at::Tensor tokens = at::randint(1, 40, {count, 8}, at::kLong);
  tokens.select(1, 5).fill_(49);
  return {.items = std::move(items),
          .identities = at::arange(count, at::kLong),
          .cameras = {},
          .views = {},
          .images = at::randn({count, 3, kImage.height, kImage.width}),
          .features = {},
          .tokens = tokens};
}

Stage tiny_stage(const std::vector<std::string>& pairs = {}) {
  return pretraining_stage(pretraining_config(pairs));
}

at::Tensor normalised(const at::Tensor& rows) {
  return rows / at::linalg_vector_norm(rows, 2, {1}, true);
}

// CLIP's formula, written down once more: the mean of both cross-entropies over the diagonal.
at::Tensor expected_loss(ReidModel& model, const Batch& batch) {
  const at::Tensor images = normalised(model.image_encoder().forward(batch.images, {}).proj);
  const at::Tensor texts = normalised(model.encode_text(batch.tokens));
  const at::Tensor logits = model.logit_scale().exp() * images.matmul(texts.t());
  return (at::cross_entropy_loss(logits, batch.identities) +
          at::cross_entropy_loss(logits.t(), batch.identities)) /
         2;
}

TEST(Pretraining, AStepMovesEveryWeightAgainstItsGradient) {
  const Batch batch = tiny_batch(3, {0, 1, 2, 3});
  const auto expected = tiny_model(), model = tiny_model();
  const at::Tensor loss = expected_loss(*expected, batch);
  loss.backward();
  StageTrainer trainer(*model,
                       tiny_stage({"SOLVER.OPTIMIZER_NAME", "SGD", "SOLVER.MOMENTUM", "0", "SOLVER.BASE_LR",
                                   "0.5", "SOLVER.WEIGHT_DECAY", "0", "SOLVER.WARMUP_EPOCHS", "2"}));
  const StepReport report = trainer.step(batch, 1, 0.5); // a quarter of the warm-up: 0.125
  EXPECT_NEAR(report.loss, loss.item<double>(), 1e-6);
  const auto before = expected->named_parameters(), after = model->named_parameters();
  ASSERT_EQ(before.size(), after.size());
  for (const auto& item : before)
    expect_close(after[item.key()], item.value().detach() - 0.125 * item.value().grad(),
                 {.abs = 1e-6, .rel = 1e-4}, item.key());
}

// Two pairs of one person and one of another: every caption of the first is right for both of her images.
TEST(Pretraining, PairsOfOneIdentityAreNoNegatives) {
  Batch batch = tiny_batch(4, {0, 1, 2});
  batch.identities = at::tensor({7, 7, 2}, at::kLong);
  const auto model = tiny_model();
  const at::Tensor images = normalised(model->image_encoder().forward(batch.images, {}).proj);
  const at::Tensor logits =
      model->logit_scale().exp() * images.matmul(normalised(model->encode_text(batch.tokens)).t());
  const at::Tensor target =
      at::tensor({0.5, 0.5, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 1.0}, at::kFloat).view({3, 3});
  const double expected =
      ((at::cross_entropy_loss(logits, target) + at::cross_entropy_loss(logits.t(), target)) / 2)
          .item<double>();
  StageTrainer trainer(*model, tiny_stage());
  EXPECT_NEAR(trainer.step(batch, 1).loss, expected, 1e-6);
}

TEST(Pretraining, TheScaleStaysBelowAHundred) {
  const auto model = tiny_model();
  {
    const c10::NoGradGuard no_gradients;
    at::Tensor scale = model->logit_scale();
    scale.fill_(6);
  }
  StageTrainer trainer(*model, tiny_stage());
  trainer.step(tiny_batch(5, {0, 1}), 1);
  EXPECT_FLOAT_EQ(model->logit_scale().item<float>(), static_cast<float>(std::log(100)));
}

TEST(Pretraining, EverythingLearnsAndOnlyMatricesDecay) {
  const auto model = tiny_model();
  const StageTrainer trainer(*model, tiny_stage({"SOLVER.WEIGHT_DECAY", "0.25"}));
  EXPECT_EQ(trainer.optimizer().groups().size(), model->parameters().size());
  for (const ParameterGroup& group : trainer.optimizer().groups())
    EXPECT_EQ(group.weight_decay, group.parameter.dim() < 2 ? 0 : 0.25) << group.name;
}

// What is written stands for the same model: as a plain CLIP with a square table, at the size of the
// training.
TEST(Pretraining, TheFileGivesTheSameFeaturesBitByBit) {
  for (const Grid image : {Grid{16, 8}, Grid{24, 8}, Grid{24, 16}, Grid{16, 16}}) {
    const ReidOptions options{.image = image, .stride = 4};
    ReidModel model(random_clip(kTiny, 1), options, "tiny");
    const StateDict file = plain_clip(model);
    EXPECT_EQ(file.size(), random_clip(kTiny, 1).size());
    ReidModel again(file, options, "file");
    const at::Tensor images = at::randn({2, 3, image.height, image.width});
    EXPECT_TRUE(at::equal(model.image_encoder().forward(images, {}).proj,
                          again.image_encoder().forward(images, {}).proj))
        << image.height << "x" << image.width;
    const at::Tensor tokens = tiny_batch(6, {0, 1}).tokens;
    EXPECT_TRUE(at::equal(model.encode_text(tokens), again.encode_text(tokens)));
  }
}

// Batches of made pairs; throws at one of them, as a run that is killed there.
class MadePairs : public BatchSource {
public:
  struct Killed {};
  explicit MadePairs(std::int64_t killed_epoch = 0, std::int64_t killed_batch = 0)
      : killed_epoch_(killed_epoch), killed_batch_(killed_batch) {}

  void start_epoch(std::int64_t epoch, std::int64_t first_batch) override {
    epoch_ = epoch;
    batch_ = first_batch;
  }
  std::int64_t batch_count() const override { return 3; }
  std::optional<Batch> next() override {
    if (batch_ == batch_count()) return std::nullopt;
    if (epoch_ == killed_epoch_ && batch_ == killed_batch_) throw Killed();
    const std::int64_t number = batch_++;
    return tiny_batch(static_cast<std::uint64_t>(100 * epoch_ + number), {0, 1, 2, 3});
  }

private:
  std::int64_t killed_epoch_, killed_batch_, epoch_ = 1, batch_ = 0;
};

// One run of the loop in `folder`; nothing when it is killed.
std::optional<StateDict> run(const std::filesystem::path& folder, MadePairs source, bool resumes) {
  const Config config = pretraining_config(std::vector<std::string>{
      "OUTPUT_DIR", folder.string(), "SOLVER.MAX_EPOCHS", "3", "SOLVER.LOG_PERIOD", "1"});
  RunFolder files(config, {.resumes = resumes});
  const auto model = tiny_model();
  const std::vector<Stage> stages = {pretraining_stage(config)};
  RunLoop loop(
      files, model,
      {.path_of = [](std::size_t) { return "made"; }, .checkpoint = [&] { return plain_clip(*model); }},
      /*save_every_seconds=*/0);
  loop.begin(0, stages);
  StageTrainer trainer(*model, stages[0]);
  try {
    loop.run_stage(stages[0], trainer, source, 1);
  } catch (const MadePairs::Killed&) {
    return std::nullopt;
  }
  return model->state();
}

TEST(Pretraining, ARunStoppedAnywhereGoesOnBitEqual) {
  const TempFolder folder;
  const StateDict whole = *run(folder / "whole", MadePairs(), false);
  for (const auto& [epoch, batch] : {std::pair{1, 2}, {2, 0}, {2, 1}, {3, 2}}) {
    const auto place = folder / ("killed" + std::to_string(3 * epoch + batch));
    EXPECT_FALSE(run(place, MadePairs(epoch, batch), false));
    const std::optional<StateDict> resumed = run(place, MadePairs(), true);
    ASSERT_TRUE(resumed);
    for (const auto& [name, tensor] : whole)
      EXPECT_TRUE(at::equal(tensor, resumed->at(name))) << name;
    EXPECT_EQ(read_run_log(place / kMetricsFile), read_run_log(folder / "whole" / kMetricsFile));
  }
}

// Items of one epoch, in order.
class Items : public BatchSource {
public:
  void start_epoch(std::int64_t, std::int64_t) override { done_ = false; }
  std::int64_t batch_count() const override { return 1; }
  std::optional<Batch> next() override {
    if (std::exchange(done_, true)) return std::nullopt;
    return Batch{
        .items = {2, 0, 1}, .identities = {}, .cameras = {}, .views = {}, .images = {}, .features = {}};
  }

private:
  bool done_ = false;
};

// Sentences 0..2 are of image 0, 3 is of image 1, 4 and 5 are of image 2.
TEST(Captions, EveryEpochDrawsOneOfTheImagesOwn) {
  const TokenisedCaptions captions{.tokens = at::arange(6, at::kLong).view({6, 1}),
                                   .first_row = {0, 3, 4, 6}};
  const auto source = make_caption_source(std::make_unique<Items>(), captions, 1);
  std::set<std::int64_t> seen;
  for (std::int64_t epoch = 1; epoch <= 30; ++epoch) {
    source->start_epoch(epoch, 0);
    const at::Tensor first = source->next()->tokens; // [3, 1]
    source->start_epoch(epoch, 0);
    EXPECT_TRUE(at::equal(first, source->next()->tokens));
    for (const auto& [row, low, high] : {std::tuple{0, 4, 5}, {1, 0, 2}, {2, 3, 3}}) {
      const auto drawn = first[row].item<std::int64_t>();
      EXPECT_TRUE(drawn >= low && drawn <= high) << drawn;
      seen.insert(drawn);
    }
  }
  EXPECT_EQ(seen.size(), 6u);
}

} // namespace
} // namespace vlreid
