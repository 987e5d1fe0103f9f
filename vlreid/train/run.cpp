#include "vlreid/train/run.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/log.h"
#include "vlreid/base/progress.h"
#include "vlreid/base/random.h"
#include "vlreid/base/stop.h"
#include "vlreid/base/strings.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/report/run_page.h"
#include "vlreid/tensor/device.h"
#include "vlreid/train/evaluation.h"
#include "vlreid/train/run_folder.h"
#include "vlreid/train/setup.h"
#include "vlreid/weights/load.h"
#include "vlreid/weights/save.h"

namespace vlreid {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kLogger = "transreid.train"; // as the references name theirs
constexpr const char* kRunFile = "run.json";
constexpr const char* kFeatureFile = "stage1_features.safetensors";
constexpr std::size_t kNamedImages = 8; // of a batch that diverged

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

NamedValues scores_of(const Metrics& metrics) {
  const auto rank = [&](std::size_t k) {
    return metrics.cmc.empty() ? 0 : metrics.cmc[std::min(k, metrics.cmc.size()) - 1];
  };
  return {{"mAP", metrics.mean_average_precision},
          {"mINP", metrics.mean_inverse_negative_penalty},
          {"rank1", rank(1)},
          {"rank5", rank(5)},
          {"rank10", rank(10)}};
}

class Run {
public:
  Run(const Config& config, const TrainOptions& options)
      : config_(config), options_(options), recipe_(make_recipe(config)), stages_(recipe_.stages),
        folder_(config, folder_options(recipe_, options)), dataset_(open_training_set(config)),
        device_(parse_device(options.device)) {
    for (const std::string& line : split(banner(dataset_), '\n'))
      log_info(kLogger, line);
    for (const std::string& warning : dataset_.warnings)
      log_warning(kLogger, warning);
    write_file(folder_.path() / kRunFile, description().dump(1) + "\n");
    make_model();
  }

  void run() {
    const std::size_t end =
        options_.only_stage == 0 ? stages_.size() : first_stage(recipe_, options_.only_stage) + 1;
    for (; place_.stage < end; next_stage())
      run_stage(stages_[place_.stage]);
    finish();
  }

private:
  static RunFolder::Options folder_options(const Recipe& recipe, const TrainOptions& options) {
    RunFolder::Options made{.resumes = options.resumes, .overwrites = options.overwrites};
    if (options.only_stage > 1 && options.weights.empty())
      made.first_stage = first_stage(recipe, options.only_stage);
    return made;
  }

  nlohmann::json description() const {
    return {{"version", options_.version}, {"command", options_.command_line},
            {"seed", config_.solver.seed}, {"method", recipe_.name},
            {"device", options_.device},   {"accumulate", options_.accumulate}};
  }

  void make_model() {
    place_.stage = first_stage(recipe_, options_.only_stage);
    const std::string weights = starting_weights(config_, recipe_, options_);
    log_info("vlreid", fmt::format("{}: {} from {}", recipe_.name, config_.model.name, weights));
    model_ = make_training_model(config_, recipe_, dataset_, weights);
    if (const std::optional<RunState>& state = folder_.state()) {
      load_module(*model_, state->model, (folder_.path() / kStateFile).string());
      place_ = state->place;
      means_ = state->means;
      best_map_ = state->best_map;
      log_info("vlreid", fmt::format("resumed: stage {}, epoch {}, after batch {}",
                                     place_.stage < stages_.size() ? stages_[place_.stage].number : 0,
                                     place_.epoch, place_.batch));
    }
    model_->to_device(device_);
  }

  void next_stage() {
    place_ = {.stage = place_.stage + 1};
    means_ = {};
    folder_.forget_state();
    save({});
  }

  void save(const StateDict& trainer) {
    folder_.save({.place = place_,
                  .means = means_,
                  .best_map = best_map_,
                  .model = model_->state(),
                  .trainer = trainer});
    last_save_ = Clock::now();
  }

  std::unique_ptr<BatchSource> make_source(const Stage& stage, const StageTrainer& trainer,
                                           const Sampler& sampler) {
    if (trainer.uses_cached_features())
      return make_feature_source(dataset_.train, sampler, cached_features(), device_);
    TrainingBatchesOptions images = image_options(config_, options_);
    images.seed = stage_seed(stage, config_);
    return make_image_source(dataset_.train, sampler, images, device_);
  }

  // Made once a run: a resumed one reads it again.
  at::Tensor cached_features() {
    const fs::path file = folder_.path() / kFeatureFile;
    if (folder_.state() && fs::exists(file)) return load_weights(file).state.at("features").clone();
    const at::Tensor features = project_training_images(model_, dataset_, config_, evaluation_options(false));
    StateDict state;
    state.add("features", features);
    save_safetensors(file, state);
    return features;
  }

  EvaluationOptions evaluation_options(bool wants_examples) const {
    return {.device = options_.device, .threads = options_.threads, .wants_examples = wants_examples};
  }

  void run_stage(const Stage& stage);
  void run_epoch(const Stage& stage, StageTrainer& trainer, BatchSource& source, Progress& progress);
  void run_batch(const Stage& stage, StageTrainer& trainer, const Batch& batch);
  void log_batch(const Stage& stage, const StageTrainer& trainer, const StepReport& report,
                 std::int64_t batches);
  void after_batch(const StageTrainer& trainer);
  void end_epoch(const Stage& stage, const StageTrainer& trainer, double seconds, double waited,
                 std::int64_t images);
  void evaluate(const Stage& stage, bool is_last);
  [[noreturn]] void diverged(const Stage& stage, const Batch& batch, double loss) const;
  void finish();

  Config config_;
  TrainOptions options_;
  Recipe recipe_;
  std::vector<Stage> stages_;
  RunFolder folder_;
  Dataset dataset_;
  at::Device device_;
  std::shared_ptr<ReidModel> model_;
  RunPlace place_;
  EpochMeans means_;
  double best_map_ = -1;
  StepReport last_report_;
  Clock::time_point last_save_ = Clock::now();
};

void Run::run_stage(const Stage& stage) {
  log_info(kLogger, fmt::format("start training, stage {}", stage.number));
  const std::unique_ptr<Sampler> sampler = make_sampler(stage, dataset_, stage_seed(stage, config_));
  StageTrainer trainer(*model_, stage, stage_trainer_options(stage, config_, options_));
  const std::unique_ptr<BatchSource> source = make_source(stage, trainer, *sampler);
  trainer.begin();
  source->start_epoch(place_.epoch, place_.batch);
  folder_.begin_stage(stage, source->batch_count());
  if (folder_.state() && !folder_.state()->trainer.empty())
    trainer.load(folder_.state()->trainer, (folder_.path() / kStateFile).string());
  folder_.forget_state();
  const std::int64_t epochs = stage.solver.max_epochs;
  Progress progress(fmt::format("stage {}", stage.number), "batches", epochs * source->batch_count());
  progress.add_resumed((place_.epoch - 1) * source->batch_count() + place_.batch);
  while (place_.epoch <= epochs) {
    run_epoch(stage, trainer, *source, progress);
    if (place_.epoch <= epochs) source->start_epoch(place_.epoch, 0);
  }
}

void Run::run_epoch(const Stage& stage, StageTrainer& trainer, BatchSource& source, Progress& progress) {
  const auto start = Clock::now();
  const double waited_before = source.wait_seconds();
  std::int64_t images = 0;
  const std::int64_t batches = source.batch_count();
  while (place_.batch < batches) {
    const std::optional<Batch> batch = source.next();
    VLREID_ASSERT(batch.has_value());
    run_batch(stage, trainer, *batch);
    if (place_.batch == batches) trainer.finish_epoch(place_.epoch);
    if (place_.batch % stage.solver.log_period == 0) log_batch(stage, trainer, last_report_, batches);
    images += static_cast<std::int64_t>(batch->items.size());
    progress.add(1);
    if (place_.batch < batches) after_batch(trainer);
  }
  end_epoch(stage, trainer, seconds_since(start), source.wait_seconds() - waited_before, images);
}

void Run::run_batch(const Stage& stage, StageTrainer& trainer, const Batch& batch) {
  // Dropout of a step follows from its place alone, so a resumed run draws the same.
  Random random({stage_seed(stage, config_), static_cast<std::uint64_t>(place_.epoch),
                 static_cast<std::uint64_t>(place_.batch)});
  at::manual_seed((static_cast<std::uint64_t>(random.bits()) << 32) | random.bits());
  last_report_ = trainer.step(batch, place_.epoch);
  if (!std::isfinite(last_report_.loss)) diverged(stage, batch, last_report_.loss);
  ++place_.batch;
  means_.loss += last_report_.loss;
  means_.accuracy += last_report_.accuracy.value_or(0);
  ++means_.batches;
}

void Run::diverged(const Stage& stage, const Batch& batch, double loss) const {
  std::string images;
  for (std::size_t i = 0; i < std::min(kNamedImages, batch.items.size()); ++i)
    images += (i == 0 ? "" : ", ") + dataset_.train[batch.items[i]].path;
  if (batch.items.size() > kNamedImages)
    images += fmt::format(" and {} more", batch.items.size() - kNamedImages);
  fail(ErrorKind::diverged,
       {.place = fmt::format("stage {}, epoch {}, batch {}", stage.number, place_.epoch, place_.batch + 1),
        .found = fmt::format("a loss of {} on the images {}", loss, images),
        .expected = "a finite loss",
        .remedy = "lower BASE_LR or look at these images; the last good state and checkpoints are in " +
                  folder_.path().string()});
}

void Run::log_batch(const Stage& stage, const StageTrainer& trainer, const StepReport& report,
                    std::int64_t batches) {
  const double rate = trainer.rate(place_.epoch);
  std::string line = fmt::format("Epoch[{}] Iteration[{}/{}] Loss: {:.3f}", place_.epoch, place_.batch,
                                 batches, means_.mean_loss());
  if (report.accuracy) line += fmt::format(", Acc: {:.3f}", means_.mean_accuracy());
  log_info(kLogger, line + fmt::format(", Base Lr: {:.2e}", rate));
  RunRecord record{.kind = RecordKind::train,
                   .at = {.stage = stage.number,
                          .epoch = static_cast<int>(place_.epoch),
                          .iteration = static_cast<int>(place_.batch)},
                   .values = {{"loss", report.loss}}};
  if (report.accuracy) record.values.emplace_back("accuracy", *report.accuracy);
  record.values.emplace_back("rate", rate);
  for (const auto& [name, value] : report.terms)
    record.values.emplace_back("loss_" + name, value);
  folder_.record(record);
}

// Between two batches: the places where a run can be left.
void Run::after_batch(const StageTrainer& trainer) {
  try {
    throw_if_stopped();
  } catch (const Stopped&) {
    save(trainer.state());
    log_info("vlreid", "stopped; the state is saved, --resume goes on from here");
    throw;
  }
  if (seconds_since(last_save_) >= options_.save_every_seconds) save(trainer.state());
}

void Run::end_epoch(const Stage& stage, const StageTrainer& trainer, double seconds, double waited,
                    std::int64_t images) {
  const auto epoch = static_cast<int>(place_.epoch);
  const double batches = static_cast<double>(std::max<std::int64_t>(means_.batches, 1));
  log_info(kLogger, fmt::format("Epoch {} done. Time per batch: {:.3f}[s] Speed: {:.1f}[samples/s]", epoch,
                                seconds / batches, static_cast<double>(images) / std::max(seconds, 1e-9)));
  log_info("vlreid",
           fmt::format("waited for images {:.1f} % of the time", 100 * waited / std::max(seconds, 1e-9)));
  folder_.record({.kind = RecordKind::epoch,
                  .at = {.stage = stage.number, .epoch = epoch},
                  .values = {{"loss", means_.mean_loss()},
                             {"accuracy", means_.mean_accuracy()},
                             {"rate", trainer.rate(epoch)}}});
  folder_.record(
      {.kind = RecordKind::timing,
       .at = {.stage = stage.number, .epoch = epoch, .iteration = static_cast<int>(means_.batches)},
       .values = {{"time", seconds / batches},
                  {"data", waited / batches},
                  {"images", static_cast<double>(images) / seconds}}});
  const bool is_last = epoch == stage.solver.max_epochs;
  if (epoch % stage.solver.checkpoint_period == 0 || is_last)
    save_pth(folder_.checkpoint(stage, epoch), model_->state());
  if (stage.is_evaluated && !dataset_.query.empty() && (epoch % stage.solver.eval_period == 0 || is_last)) {
    evaluate(stage, is_last);
    trainer.begin();
  }
  means_ = {};
  place_ = {.stage = place_.stage, .epoch = epoch + 1, .batch = 0};
  if (is_last) return; // the next stage's beginning is saved
  const bool is_due =
      epoch % stage.solver.checkpoint_period == 0 || seconds_since(last_save_) >= options_.save_every_seconds;
  if (is_due) save(trainer.state());
  after_batch(trainer);
}

void Run::evaluate(const Stage& stage, bool is_last) {
  const Evaluation result = evaluate_model(model_, dataset_, config_, evaluation_options(is_last));
  log_info(kLogger, fmt::format("Validation Results - Epoch: {}", place_.epoch));
  for (const std::string& line : log_lines(result.scores.plain, AveragePrecision::plain))
    log_info(kLogger, line);
  folder_.record({.kind = RecordKind::eval,
                  .at = {.stage = stage.number, .epoch = static_cast<int>(place_.epoch)},
                  .dataset = dataset_.name,
                  .values = scores_of(result.scores.plain)});
  const double map = result.scores.plain.mean_average_precision;
  if (map > best_map_) {
    best_map_ = map;
    save_pth(folder_.best_checkpoint(), model_->state());
  }
  if (is_last) save_examples(folder_.path() / kExamplesFile, result.examples);
}

void Run::finish() {
  const std::vector<std::string> folders = {folder_.path().string()};
  write_run_page(folder_.path() / kRunPageFile, load_runs(folders));
  log_info("vlreid", fmt::format("done: {}", (folder_.path() / kRunPageFile).string()));
}

} // namespace

void train(const Config& config, const TrainOptions& options) {
  VLREID_REQUIRE(!config.output_dir.empty(), ErrorKind::config, "OUTPUT_DIR", "nothing",
                 "a folder for the run", "set it");
  Run(config, options).run();
}

} // namespace vlreid
