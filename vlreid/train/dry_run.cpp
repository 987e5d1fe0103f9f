#include "vlreid/tensor/device.h"
#include "vlreid/train/run.h"
#include "vlreid/train/setup.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>

namespace vlreid {
namespace {

using Clock = std::chrono::steady_clock;

double peak_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::string duration_text(double seconds) {
  const auto minutes = static_cast<std::int64_t>(seconds / 60);
  if (minutes < 2) return fmt::format("{:.0f} s", seconds);
  if (minutes < 120) return fmt::format("{} min", minutes);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string sizes(const at::Tensor& tensor) {
  std::string text = "[";
  for (std::int64_t i = 0; i < tensor.dim(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(tensor.size(i));
  return text + "]";
}

std::string learning_tensors(const StageTrainer& trainer) {
  std::int64_t numbers = 0;
  std::string text;
  for (const ParameterGroup& group : trainer.optimizer().groups()) {
    numbers += group.parameter.numel();
    text += fmt::format("    {:<70} {}\n", group.name, sizes(group.parameter));
  }
  return fmt::format("  trains {} tensors, {} numbers\n{}", trainer.optimizer().groups().size(), numbers,
                     text);
}

// Two steps on the first batches: the second is timed, since the first also pays for what is made once.
std::string measured_steps(StageTrainer& trainer, BatchSource& source, const Stage& stage) {
  source.start_epoch(1, 0);
  const std::int64_t batches = source.batch_count();
  std::string text;
  double seconds = 0;
  for (int i = 0; i < 2; ++i) {
    std::optional<Batch> batch = source.next();
    if (!batch) {
      source.start_epoch(1, 0);
      batch = source.next();
    }
    if (i == 0 && batch->images.defined()) text += fmt::format("  images {}\n", sizes(batch->images));
    if (i == 0 && batch->features.defined())
      text += fmt::format("  cached image features {}\n", sizes(batch->features));
    const auto start = Clock::now();
    trainer.step(*batch, 1);
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  const double steps = static_cast<double>(batches * stage.solver.max_epochs);
  return text + fmt::format("  {} epochs of {} steps; {:.3f} s a step here, so {} without evaluation\n",
                            stage.solver.max_epochs, batches, seconds, duration_text(steps * seconds));
}

} // namespace

std::string dry_run(const Config& config, const TrainOptions& options) {
  const Recipe recipe = make_recipe(config);
  const TrainingSet dataset = open_training_set(config);
  const at::Device device = parse_device(options.device);
  const std::string weights = starting_weights(config, recipe, options);
  const std::shared_ptr<ReidModel> model =
      make_training_model(config, recipe, dataset, weights, options.only_stage);
  if (options.recomputes_activations) recompute_activations(*model);
  model->to_device(device);
  std::string text = banner(dataset) + "\n" + fmt::format("method {}, weights {}\n", recipe.name, weights);
  for (const Stage& stage : recipe.stages) {
    if (options.only_stage != 0 && stage.number != options.only_stage) continue;
    const std::unique_ptr<Sampler> sampler =
        make_sampler(stage, config, dataset, static_cast<std::uint64_t>(config.solver.seed));
    StageTrainer trainer(*model, stage, stage_trainer_options(stage, config, options));
    std::unique_ptr<BatchSource> source =
        trainer.uses_cached_features()
            ? make_feature_source(dataset.train, *sampler,
                                  at::zeros({static_cast<std::int64_t>(dataset.train.size()),
                                             model->image_encoder().embed_width()}),
                                  device)
            : make_stage_images(config, options, stage, dataset, *sampler, device);
    source = with_sets(std::move(source), *model, dataset);
    text +=
        fmt::format("stage {}: {} images a batch, {}, rate {} ({})\n", stage.number, stage.solver.batch_size,
                    stage.solver.optimizer, stage.solver.learning_rate, stage.schedule);
    text += learning_tensors(trainer) + measured_steps(trainer, *source, stage);
  }
  return text + fmt::format("peak memory up to here {:.0f} MiB\n", peak_mib());
}

} // namespace vlreid
