// Speed and memory of a training step through the real recipes (random weights, 256x128, float32 unless
// --dtype says otherwise) against the rate of LibTorch's own matrix product, measured alternately in one run.
// Prints one JSON line:
//
//     bench_train --what stage1|stage2 [--lora] [--naive] [--recompute hidden|blocks]
//                 [--dtype f32|bf16] [--batch 64] [--steps 3] [--arch ViT-B/16] [--threads N] [--serve]
//
// `--lora` is FT's stage 2. `--naive` is stage 1 as the references do it: all 77 positions, the prompt of
// every image encoded, gradients of all text weights; its first loss is that of the step with the savings.
// `gflops` counts the products that a step cannot do without: backward twice the forward, once where weights
// are frozen. Rates and shares are medians over the steps. With --serve it takes turns with others instead
// (bench/serve.h): "run" makes `steps` steps.
#include "bench/measure.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/encoders/vit.h"
#include "vlreid/optim/schedule.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/tensor/kept_memory.h"
#include "vlreid/train/stage_trainer.h"
#include "vlreid/train/trainable.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/zeros.h>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace vlreid {
namespace {

constexpr std::int64_t kIdentities = 751; // of Market-1501
constexpr Grid kSize = {256, 128};
constexpr std::int64_t kImagesPerIdentity = 4; // of a batch of stage 2

struct Settings {
  std::string what = "stage2", dtype = "f32", arch = "ViT-B/16", recompute = "nothing";
  bool has_lora = false, is_naive = false, serves = false;
  std::int64_t batch = 64;
  int steps = 3;
  int threads = 0; // 0: as many as LibTorch takes
};

Config config_of(const Settings& settings) {
  const std::string yaml = "MODEL:\n  PROMPT: " + std::string(settings.has_lora ? "ted" : "clipreid") +
                           "\n  USE_LORA: " + (settings.has_lora ? "True" : "False") + "\n";
  return load_config_text(yaml, "bench_train");
}

std::unique_ptr<ReidModel> make_model(const Settings& settings, const Config& config, const Recipe& recipe) {
  const StateDict state = training_state(random_clip(published_clip(settings.arch), 1),
                                         {.identities = kIdentities,
                                          .prompt = recipe.prompt,
                                          .image = kSize,
                                          .keeps_logit_scale = recipe.keeps_logit_scale,
                                          .uses_lora = recipe.uses_lora,
                                          .lora_projections = config.lora.projections,
                                          .lora_rank = config.lora.rank},
                                         "random weights");
  return std::make_unique<ReidModel>(
      state,
      ReidOptions{.image = kSize,
                  .stride = config.model.stride[0],
                  .adapter = {.alpha = config.lora.alpha, .dropout = config.lora.dropout}},
      "random weights");
}

// Stage 1 draws images from all identities, stage 2 four of each of some.
Batch make_batch(const Settings& settings, std::int64_t embed_width, std::uint64_t seed) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  Batch batch;
  batch.items.resize(static_cast<std::size_t>(settings.batch));
  if (settings.what == "stage1") {
    batch.identities = at::randint(kIdentities, {settings.batch}, generator, at::kLong);
    batch.features = at::randn({settings.batch, embed_width}, generator, at::TensorOptions());
  } else {
    batch.identities = at::arange(settings.batch, at::kLong).floor_divide(kImagesPerIdentity);
    batch.images = at::randn({settings.batch, 3, kSize.height, kSize.width}, generator, at::TensorOptions());
  }
  batch.cameras = batch.views = at::zeros({settings.batch}, at::kLong);
  return batch;
}

// Of one token and of one sequence, forward, in GFLOP. A block's products per token: queries, keys and values
// 6 D^2, out 2, mlp 16; attention 4 N D. The last block runs for one token but for its keys and values.
double blocks_work(const TransformerShape& shape, std::int64_t tokens, std::int64_t seen,
                   std::int64_t embed) {
  const double width = static_cast<double>(shape.width), count = static_cast<double>(tokens);
  const double attention = 4 * static_cast<double>(seen) * width, square = width * width;
  const double block = count * (24 * square + attention);
  const double last = count * 4 * square + 20 * square + attention;
  return (static_cast<double>(shape.layers - 1) * block + last + 2 * width * static_cast<double>(embed)) /
         1e9;
}

// GFLOP of one image or prompt of a batch.
double work_of(const Settings& settings, ReidModel& model, const Batch& batch) {
  if (settings.what == "stage2") {
    const auto* vit = dynamic_cast<VisionTransformer*>(&model.image_encoder());
    if (vit == nullptr) return 0;
    const VitShape& shape = vit->shape();
    const std::int64_t tokens = 1 + shape.grid.count();
    const double patches =
        2.0 * static_cast<double>(shape.grid.count() * shape.width * 3 * shape.patch * shape.patch) / 1e9;
    const double blocks = blocks_work(vit->blocks->shape(), tokens, tokens, shape.embed);
    return settings.has_lora ? patches + 2 * blocks : 2 * patches + 3 * blocks;
  }
  const TextShape& shape = model.text_encoder()->shape();
  if (settings.is_naive) {
    const double length = static_cast<double>(shape.context_length),
                 width = static_cast<double>(shape.blocks.width);
    return 3 * static_cast<double>(shape.blocks.layers) * length * (24 * width * width + 4 * length * width) /
           1e9;
  }
  const TextPrompt prompt = model.prompt_learner()->forward(batch.identities.slice(0, 0, 1));
  const std::int64_t length = prompt.end_positions.front() + 1;
  const double encoded = static_cast<double>(
      std::set<std::int64_t>(batch.identities.const_data_ptr<std::int64_t>(),
                             batch.identities.const_data_ptr<std::int64_t>() + settings.batch)
          .size());
  return 2 * blocks_work(shape.blocks, length - prompt.shared_positions, length, shape.embed) * encoded /
         static_cast<double>(settings.batch);
}

// The step of stage 1 without exact savings.
class NaiveStep {
public:
  NaiveStep(ReidModel& model, const Stage& stage)
      : model_(model), stage_(stage),
        optimizer_(parameter_groups(model, stage.trains, stage.solver), {.name = stage.solver.optimizer}),
        rate_(schedules().at(stage.schedule)(schedule_options(stage.solver))(1)) {
    model.eval();
    for (at::Tensor& parameter : model.text_encoder()->parameters())
      parameter.requires_grad_(true);
    const std::int64_t length = model.text_encoder()->shape().context_length;
    mask_ = at::triu(at::full({length, length}, -std::numeric_limits<double>::infinity(), at::kFloat), 1);
  }

  double step(const Batch& batch) {
    LossInputs inputs;
    inputs.labels = batch.identities;
    inputs.image_features = batch.features;
    inputs.text_features = encode(batch.identities);
    const at::Tensor loss = losses().at(stage_.losses.front().loss)(inputs, stage_.loss_options);
    loss.backward();
    optimizer_.step(rate_);
    optimizer_.zero_grad();
    return loss.item<double>();
  }

private:
  at::Tensor encode(const at::Tensor& labels) {
    TextEncoder& text = *model_.text_encoder();
    const TextPrompt prompt = model_.prompt_learner()->forward(labels);
    at::Tensor x = prompt.embeddings + text.positional_embedding; // [B, 77, D]
    for (std::int64_t i = 0; i < text.blocks().depth(); ++i)
      x = text.blocks().block(i).forward(x, mask_);
    return at::matmul(text.ln_final->forward(x).select(1, prompt.end_positions.front()),
                      text.text_projection);
  }

  ReidModel& model_;
  Stage stage_;
  Optimizer optimizer_;
  double rate_; // of the first epoch
  at::Tensor mask_;
};

// Of the steps: images per second, and shares of the product's rate by the clock and by processor time.
struct Figures {
  std::vector<double> rates, peaks, shares, processor_seconds, processor_shares, losses;
};

void print(const Settings& settings, double work, const Figures& figures) {
  const auto& [rates, peaks, shares, processor_seconds, processor_shares, losses] = figures;
  const nlohmann::json result = {{"what", settings.what},
                                 {"model", settings.arch + " 256x128, random weights"},
                                 {"lora", settings.has_lora},
                                 {"naive", settings.is_naive},
                                 {"recompute", settings.recompute},
                                 {"dtype", settings.dtype},
                                 {"batch", settings.batch},
                                 {"threads", at::get_num_threads()},
                                 {"steps", settings.steps},
                                 {"per_second", median(rates)},
                                 {"gflop_each", work},
                                 {"gflops", median(rates) * work},
                                 {"peak_gflops", median(peaks)},
                                 {"share", median(shares)},
                                 {"processor_seconds", median(processor_seconds)},
                                 {"processor_share", median(processor_shares)},
                                 {"first_loss", losses.front()},
                                 {"last_loss", losses.back()},
                                 {"peak_mib", peak_mib()}};
  std::cout << result.dump() << "\n";
}

// A model, a batch, and what makes a step of them.
class Subject {
public:
  explicit Subject(const Settings& settings) : settings_(settings) {
    const Config config = config_of(settings);
    const Recipe recipe = make_recipe(config);
    const Stage& stage = settings.what == "stage1" ? recipe.stages.front() : recipe.stages.back();
    model_ = make_model(settings, config, recipe);
    if (Transformer* blocks = model_->image_encoder().transformer())
      blocks->set_recompute(settings.recompute == "blocks"   ? Recompute::blocks
                            : settings.recompute == "hidden" ? Recompute::hidden
                                                             : Recompute::nothing);
    batch_ = make_batch(settings, model_->image_encoder().embed_width(), 1);
    work_ = work_of(settings, *model_, batch_);
    if (settings.is_naive)
      naive_.emplace(*model_, stage);
    else
      trainer_.emplace(
          *model_, stage,
          StageTrainerOptions{.precision = settings.dtype == "bf16" ? Precision::bf16 : Precision::f32});
  }

  // Stage 1 draws other images for every step, so that its losses stay away from zero.
  double step() {
    if (settings_.what == "stage1")
      batch_ = make_batch(settings_, model_->image_encoder().embed_width(), ++seed_);
    return naive_ ? naive_->step(batch_) : trainer_->step(batch_, 1).loss;
  }
  double gflop_each() const { return work_; }

private:
  Settings settings_;
  std::uint64_t seed_ = 0;
  std::unique_ptr<ReidModel> model_;
  Batch batch_;
  double work_ = 0;
  std::optional<NaiveStep> naive_;
  std::optional<StageTrainer> trainer_;
};

void print_steps(const Settings& settings, Subject& subject) {
  Figures figures;
  const double images = static_cast<double>(settings.batch), work = subject.gflop_each();
  figures.losses.push_back(subject.step()); // only makes buffers
  for (int i = 0; i < settings.steps; ++i) {
    const Rate peak = peak_product_rate();
    double seconds = 0;
    const double processor_seconds = processor_seconds_of(
        [&] { seconds = seconds_of([&] { figures.losses.push_back(subject.step()); }); });
    figures.peaks.push_back(peak.by_clock);
    figures.rates.push_back(images / seconds);
    figures.processor_seconds.push_back(processor_seconds);
    figures.shares.push_back(images * work / seconds / peak.by_clock);
    figures.processor_shares.push_back(images * work / processor_seconds / peak.by_processor);
  }
  print(settings, work, figures);
}

void take_turns(const Settings& settings, Subject& subject) {
  subject.step(); // makes buffers
  const Handler run = [&](const nlohmann::json& request) {
    const int steps = request.value("steps", 1);
    double loss = 0;
    const double seconds = seconds_of([&] {
      for (int i = 0; i < steps; ++i)
        loss = subject.step();
    });
    return nlohmann::json{{"per_second", static_cast<double>(steps * settings.batch) / seconds},
                          {"loss", loss}};
  };
  serve({{"run", run}}, {{"gflop_each", subject.gflop_each()}});
}

void run(const Settings& settings) {
  keep_tensor_memory(); // as training does
  if (settings.threads > 0) at::set_num_threads(settings.threads);
  Subject subject(settings);
  if (settings.serves)
    take_turns(settings, subject);
  else
    print_steps(settings, subject);
}

Settings parse(int count, char** words) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    const std::string_view flag = words[i];
    if (flag == "--lora") settings.has_lora = true;
    if (flag == "--naive") settings.is_naive = true;
    if (flag == "--serve") settings.serves = true;
    if (i + 1 == count) continue;
    if (flag == "--what") settings.what = words[i + 1];
    if (flag == "--dtype") settings.dtype = words[i + 1];
    if (flag == "--recompute") settings.recompute = words[i + 1];
    if (flag == "--arch") settings.arch = words[i + 1];
    if (flag == "--batch") settings.batch = std::atoll(words[i + 1]);
    if (flag == "--steps") settings.steps = std::atoi(words[i + 1]);
    if (flag == "--threads") settings.threads = std::atoi(words[i + 1]);
  }
  return settings;
}

} // namespace
} // namespace vlreid

int main(int count, char** words) {
  try {
    vlreid::run(vlreid::parse(count, words));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_train: " << error.what() << "\n";
    return 1;
  }
}
