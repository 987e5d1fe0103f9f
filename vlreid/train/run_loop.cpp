#include "vlreid/train/run_loop.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <cmath>

#include "vlreid/base/error.h"
#include "vlreid/base/log.h"
#include "vlreid/base/progress.h"
#include "vlreid/base/random.h"
#include "vlreid/base/stop.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/eval/run_record.h"
#include "vlreid/weights/save.h"

namespace vlreid {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kLogger = "transreid.train"; // as the references name theirs
constexpr std::size_t kNamedImages = 8;            // of a batch that diverged

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// How much of the epoch is done when the update of batch number `batch` (from 1) is made.
double share_of_epoch(const Stage& stage, std::int64_t batch, std::int64_t batches) {
  return stage.changes_rate_in_epoch ? static_cast<double>(batch) / static_cast<double>(batches) : 1;
}

} // namespace

RunLoop::RunLoop(RunFolder& folder, std::shared_ptr<ReidModel> model, RunHooks hooks,
                 double save_every_seconds)
    : folder_(folder), model_(std::move(model)), hooks_(std::move(hooks)),
      save_every_seconds_(save_every_seconds), last_save_(Clock::now()) {}

void RunLoop::begin(std::size_t first_stage, const std::vector<Stage>& stages) {
  place_.stage = first_stage;
  const std::optional<RunState>& state = folder_.state();
  if (!state) return;
  load_module(*model_, state->model, (folder_.path() / kStateFile).string());
  place_ = state->place;
  means_ = state->means;
  best_map_ = state->best_map;
  log_info("vlreid", fmt::format("resumed: stage {}, epoch {}, after batch {}",
                                 place_.stage < stages.size() ? stages[place_.stage].number : 0, place_.epoch,
                                 place_.batch));
}

void RunLoop::next_stage() {
  place_ = {.stage = place_.stage + 1};
  means_ = {};
  folder_.forget_state();
  save({});
}

void RunLoop::save(const StateDict& trainer) {
  folder_.save({.place = place_,
                .means = means_,
                .best_map = best_map_,
                .model = state_of(*model_),
                .trainer = trainer});
  last_save_ = Clock::now();
}

void RunLoop::run_stage(const Stage& stage, StageTrainer& trainer, BatchSource& source, std::uint64_t seed) {
  seed_ = seed;
  log_info(kLogger, fmt::format("start training, stage {}", stage.number));
  trainer.begin();
  source.start_epoch(place_.epoch, place_.batch);
  folder_.begin_stage(stage, source.batch_count());
  if (folder_.state() && !folder_.state()->trainer.empty())
    trainer.load(folder_.state()->trainer, (folder_.path() / kStateFile).string());
  folder_.forget_state();
  const std::int64_t epochs = stage.solver.max_epochs;
  Progress progress(fmt::format("stage {}", stage.number), "batches", epochs * source.batch_count());
  progress.add_resumed((place_.epoch - 1) * source.batch_count() + place_.batch);
  while (place_.epoch <= epochs) {
    run_epoch(stage, trainer, source, progress);
    if (place_.epoch <= epochs) source.start_epoch(place_.epoch, 0);
  }
}

void RunLoop::run_epoch(const Stage& stage, StageTrainer& trainer, BatchSource& source, Progress& progress) {
  const auto start = Clock::now();
  const double waited_before = source.wait_seconds();
  std::int64_t images = 0;
  const std::int64_t batches = source.batch_count();
  while (place_.batch < batches) {
    const std::optional<Batch> batch = source.next();
    VLREID_ASSERT(batch.has_value());
    run_batch(stage, trainer, *batch, batches);
    if (place_.batch == batches) trainer.finish_epoch(place_.epoch);
    if (place_.batch % stage.solver.log_period == 0) log_batch(stage, trainer, batches);
    images += static_cast<std::int64_t>(batch->items.size());
    progress.add(1);
    if (place_.batch < batches) after_batch(trainer);
  }
  end_epoch(stage, trainer, seconds_since(start), source.wait_seconds() - waited_before, images);
}

void RunLoop::run_batch(const Stage& stage, StageTrainer& trainer, const Batch& batch, std::int64_t batches) {
  // Dropout of a step follows from its place alone, so a resumed run draws the same.
  Random random({seed_, static_cast<std::uint64_t>(place_.epoch), static_cast<std::uint64_t>(place_.batch)});
  at::manual_seed((static_cast<std::uint64_t>(random.bits()) << 32) | random.bits());
  UnreadReport report =
      trainer.enqueue(batch, place_.epoch, share_of_epoch(stage, place_.batch + 1, batches));
  ++place_.batch;
  const bool is_at_once = report.numbers.device().is_cpu(); // nothing is gained by waiting there
  unsettled_.push_back(
      {.report = std::move(report), .items = batch.items, .place = place_, .stage = stage.number});
  if (is_at_once || place_.batch % stage.solver.log_period == 0 || place_.batch == batches) settle();
}

void RunLoop::settle() {
  for (const Unsettled& step : unsettled_) {
    last_report_ = step.report.read();
    if (!std::isfinite(last_report_.loss)) diverged(step, last_report_.loss);
    means_.loss += last_report_.loss;
    means_.accuracy += last_report_.accuracy.value_or(0);
    ++means_.batches;
  }
  unsettled_.clear();
}

void RunLoop::diverged(const Unsettled& step, double loss) const {
  std::string images;
  for (std::size_t i = 0; i < std::min(kNamedImages, step.items.size()); ++i)
    images += (i == 0 ? "" : ", ") + hooks_.path_of(step.items[i]);
  if (step.items.size() > kNamedImages)
    images += fmt::format(" and {} more", step.items.size() - kNamedImages);
  fail(ErrorKind::diverged,
       {.place = fmt::format("stage {}, epoch {}, batch {}", step.stage, step.place.epoch, step.place.batch),
        .found = fmt::format("a loss of {} on the images {}", loss, images),
        .expected = "a finite loss",
        .remedy = "lower BASE_LR or look at these images; the last good state and checkpoints are in " +
                  folder_.path().string()});
}

void RunLoop::require_finite(const StageTrainer& trainer) const {
  const std::string name = trainer.broken_parameter();
  VLREID_REQUIRE(name.empty(), ErrorKind::diverged,
                 fmt::format("epoch {}, batch {}", place_.epoch, place_.batch),
                 name + " is not finite after an update", "finite weights",
                 "lower BASE_LR; the last good state and checkpoints are in " + folder_.path().string());
}

void RunLoop::log_batch(const Stage& stage, const StageTrainer& trainer, std::int64_t batches) {
  const StepReport& report = last_report_;
  const double rate = trainer.rate(place_.epoch, share_of_epoch(stage, place_.batch, batches));
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
void RunLoop::after_batch(const StageTrainer& trainer) {
  try {
    throw_if_stopped();
  } catch (const Stopped&) {
    settle();
    require_finite(trainer);
    save(trainer.state());
    log_info("vlreid", "stopped; the state is saved, --resume goes on from here");
    throw;
  }
  if (seconds_since(last_save_) < save_every_seconds_) return;
  settle();
  require_finite(trainer);
  save(trainer.state());
}

void RunLoop::record_epoch(const Stage& stage, const StageTrainer& trainer, double seconds, double waited,
                           std::int64_t images) {
  const auto epoch = static_cast<int>(place_.epoch);
  const double batches = static_cast<double>(std::max<std::int64_t>(means_.batches, 1));
  log_info(kLogger, fmt::format("Epoch {} done. Time per batch: {:.3f}[s] Speed: {:.1f}[samples/s]", epoch,
                                seconds / batches, static_cast<double>(images) / std::max(seconds, 1e-9)));
  log_info("vlreid",
           fmt::format("waited for images {:.1f} % of the time", 100 * waited / std::max(seconds, 1e-9)));
  RunRecord record{.kind = RecordKind::epoch,
                   .at = {.stage = stage.number, .epoch = epoch},
                   .values = {{"loss", means_.mean_loss()}}};
  // A run resumed before its evaluation has no last report, but the means.
  if (last_report_.accuracy || means_.accuracy > 0)
    record.values.emplace_back("accuracy", means_.mean_accuracy());
  record.values.emplace_back("rate", trainer.rate(epoch));
  folder_.record(record);
  folder_.record(
      {.kind = RecordKind::timing,
       .at = {.stage = stage.number, .epoch = epoch, .iteration = static_cast<int>(means_.batches)},
       .values = {{"time", seconds / batches},
                  {"data", waited / batches},
                  {"images", static_cast<double>(images) / seconds}}});
}

void RunLoop::end_epoch(const Stage& stage, const StageTrainer& trainer, double seconds, double waited,
                        std::int64_t images) {
  const std::int64_t epoch = place_.epoch;
  const bool is_last = epoch == stage.solver.max_epochs;
  const bool is_scored =
      stage.is_evaluated && hooks_.evaluate && (epoch % stage.solver.eval_period == 0 || is_last);
  require_finite(trainer);
  if (is_scored) save(trainer.state()); // a signal may end the evaluation
  record_epoch(stage, trainer, seconds, waited, images);
  if (epoch % stage.solver.checkpoint_period == 0 || is_last)
    save_pth(folder_.checkpoint(stage, epoch), hooks_.checkpoint());
  if (is_scored) {
    evaluate(stage, is_last);
    trainer.begin();
  }
  means_ = {};
  place_ = {.stage = place_.stage, .epoch = epoch + 1, .batch = 0};
  if (is_last) return; // the next stage's beginning is saved
  const bool is_due =
      epoch % stage.solver.checkpoint_period == 0 || seconds_since(last_save_) >= save_every_seconds_;
  if (is_due) save(trainer.state());
  after_batch(trainer);
}

void RunLoop::evaluate(const Stage& stage, bool is_last) {
  const Evaluation result = hooks_.evaluate(is_last);
  log_info(kLogger, fmt::format("Validation Results - Epoch: {}", place_.epoch));
  for (const std::string& line : log_lines(result.scores.plain, AveragePrecision::plain))
    log_info(kLogger, line);
  folder_.record({.kind = RecordKind::eval,
                  .at = {.stage = stage.number, .epoch = static_cast<int>(place_.epoch)},
                  .dataset = hooks_.dataset,
                  .values = score_values(result.scores.plain)});
  const double map = result.scores.plain.mean_average_precision;
  if (map > best_map_) {
    best_map_ = map;
    save_pth(folder_.best_checkpoint(), hooks_.checkpoint());
  }
  if (is_last) save_examples(folder_.path() / kExamplesFile, result.examples);
}

} // namespace vlreid
