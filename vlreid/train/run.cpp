#include "vlreid/train/run.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "vlreid/base/error.h"
#include "vlreid/base/log.h"
#include "vlreid/base/strings.h"
#include "vlreid/tensor/device.h"
#include "vlreid/tensor/kept_memory.h"
#include "vlreid/train/run_loop.h"
#include "vlreid/train/setup.h"
#include "vlreid/weights/load.h"
#include "vlreid/weights/save.h"

namespace vlreid {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLogger = "transreid.train"; // as the references name theirs
constexpr const char* kFeatureFile = "stage1_features.safetensors";

class Run {
public:
  Run(const Config& config, const TrainOptions& options)
      : config_(config), options_(options), recipe_(make_recipe(config)),
        folder_(config, folder_options(recipe_, options)), dataset_(open_training_set(config)),
        device_(parse_device(options.device)) {
    for (const std::string& line : split(banner(dataset_), '\n'))
      log_info(kLogger, line);
    for (const std::string& warning : dataset_.warnings)
      log_warning(kLogger, warning);
    write_run_file(folder_.path(), config_, options_, recipe_.name);
  }

  void run() {
    const std::string weights = starting_weights(config_, recipe_, options_);
    log_info("vlreid", fmt::format("{}: {} from {}", recipe_.name, config_.model.name, weights));
    model_ = make_training_model(config_, recipe_, dataset_, weights, options_.only_stage);
    if (options_.recomputes_activations) recompute_activations(*model_);
    keep_tensor_memory();
    RunLoop loop(folder_, model_, hooks(), options_.save_every_seconds);
    loop.begin(first_stage(recipe_, options_.only_stage), recipe_.stages);
    model_->to_device(device_);
    const std::size_t end =
        options_.only_stage == 0 ? recipe_.stages.size() : first_stage(recipe_, options_.only_stage) + 1;
    for (; loop.place().stage < end; loop.next_stage())
      run_stage(loop, recipe_.stages[loop.place().stage]);
    folder_.write_page();
  }

private:
  static RunFolder::Options folder_options(const Recipe& recipe, const TrainOptions& options) {
    RunFolder::Options made{.resumes = options.resumes, .overwrites = options.overwrites};
    if (options.only_stage > 1 && options.weights.empty())
      made.first_stage = first_stage(recipe, options.only_stage);
    return made;
  }

  RunHooks hooks() {
    RunHooks made{.path_of = [this](std::size_t item) { return dataset_.train[item].path; },
                  .checkpoint = [this] { return model_->state(); },
                  .dataset = dataset_.name};
    if (!dataset_.query.empty())
      made.evaluate = [this](bool is_last) {
        return evaluate_model(model_, dataset_, config_, evaluation_options(is_last));
      };
    return made;
  }

  void run_stage(RunLoop& loop, const Stage& stage) {
    const std::uint64_t seed = stage_seed(stage, config_);
    const std::unique_ptr<Sampler> sampler = make_sampler(stage, config_, dataset_, seed);
    StageTrainer trainer(*model_, stage, stage_trainer_options(stage, config_, options_));
    const std::unique_ptr<BatchSource> source =
        with_sets(make_source(stage, trainer, *sampler), *model_, dataset_);
    loop.run_stage(stage, trainer, *source, seed);
  }

  std::unique_ptr<BatchSource> make_source(const Stage& stage, const StageTrainer& trainer,
                                           const Sampler& sampler) {
    if (trainer.uses_cached_features())
      return make_feature_source(dataset_.train, sampler, cached_features(stage), device_);
    return make_stage_images(config_, options_, stage, dataset_, sampler, device_);
  }

  // Made once a run: a resumed one reads it again.
  at::Tensor cached_features(const Stage& stage) {
    const fs::path file = folder_.path() / kFeatureFile;
    if (folder_.state() && fs::exists(file)) return load_weights(file).state.at("features").clone();
    const TrainingSizes sizes = training_sizes(config_, dataset_);
    const std::span<const Record> records = dataset_.train;
    const auto project = [&](std::span<const Record> part, const std::array<std::int64_t, 2>& size) {
      return project_training_images(model_, part, size, config_, evaluation_options(false),
                                     stage.caches_training_pixels ? Filter::bicubic : Filter::bilinear);
    };
    const std::size_t middle = sizes.second_begins.value_or(records.size());
    at::Tensor features = project(records.first(middle), sizes.first);
    if (sizes.second_begins) features = at::cat({features, project(records.subspan(middle), sizes.second)});
    StateDict state;
    state.add("features", features);
    save_safetensors(file, state);
    return features;
  }

  EvaluationOptions evaluation_options(bool wants_examples) const {
    return {.device = options_.device, .threads = options_.threads, .wants_examples = wants_examples};
  }

  Config config_;
  TrainOptions options_;
  Recipe recipe_;
  RunFolder folder_;
  TrainingSet dataset_;
  at::Device device_;
  std::shared_ptr<ReidModel> model_;
};

} // namespace

void train(const Config& config, const TrainOptions& options) {
  VLREID_REQUIRE(!config.output_dir.empty(), ErrorKind::config, "OUTPUT_DIR", "nothing",
                 "a folder for the run", "set it");
  require_usable(options);
  Run(config, options).run();
}

} // namespace vlreid
