#include "vlreid/train/setup.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/tensor/device.h"
#include "vlreid/text/templates.h"
#include "vlreid/weights/load.h"

namespace vlreid {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRunFile = "run.json";

std::array<float, 3> floats(const std::array<double, 3>& values) {
  return {static_cast<float>(values[0]), static_cast<float>(values[1]), static_cast<float>(values[2])};
}

std::int64_t sie_rows(const ModelOptions& model, const TableSizes& sizes) {
  if (model.sie_camera && model.sie_view) return sizes.cameras * sizes.views;
  if (model.sie_camera) return sizes.cameras;
  return model.sie_view ? sizes.views : 0;
}

Grid training_size(const Config& config) {
  return {config.input.train_size[0], config.input.train_size[1]};
}

} // namespace

Dataset open_training_set(const Config& config) {
  Dataset dataset = open_dataset(config.datasets.name, config.datasets.root,
                                 {.seed = static_cast<std::uint64_t>(config.solver.seed)});
  VLREID_REQUIRE(!dataset.train.empty(), ErrorKind::data, dataset.root.string(), "no training image", "some",
                 "run vlreid check on this dataset");
  return dataset;
}

std::string starting_weights(const Config& config, const Recipe& recipe, const TrainOptions& options) {
  if (!options.weights.empty()) return options.weights;
  if (options.only_stage == 2 && recipe.stages.size() > 1) {
    const Stage& first = recipe.stages.front();
    const fs::path file =
        fs::path(config.output_dir) /
        fmt::format("{}{}_{}.pth", config.model.name, first.file_suffix, first.solver.max_epochs);
    VLREID_REQUIRE(fs::exists(file), ErrorKind::missing, file.string(), "no file of stage 1",
                   "the one that --stage 1 leaves in OUTPUT_DIR",
                   "run stage 1 first, or name it with --weights");
    return file.string();
  }
  VLREID_REQUIRE(!config.model.pretrain_path.empty(), ErrorKind::usage, "train", "no weights to start from",
                 "the CLIP weights, as OpenAI publishes them (ViT-B-16.pt)",
                 "give --weights, or MODEL.PRETRAIN_PATH");
  return config.model.pretrain_path;
}

std::shared_ptr<ReidModel> make_training_model(const Config& config, const Recipe& recipe,
                                               const Dataset& dataset, const std::string& weights,
                                               int only_stage) {
  const StateDict loaded = load_weights(weights).state;
  VLREID_REQUIRE(only_stage < 2 || recipe.stages.size() == 1 || !loaded.below("prompt_learner.").empty(),
                 ErrorKind::data, weights, "no learned prompts", "a file that stage 1 has left",
                 "run stage 1 first, or leave out --stage");
  const TableSizes sizes = table_sizes(dataset.train);
  VLREID_REQUIRE(config.input.test_size == config.input.train_size, ErrorKind::config, "INPUT.SIZE_TEST",
                 "another size than INPUT.SIZE_TRAIN", "the same: the positional table is made for one size");
  VLREID_REQUIRE(config.model.stride[0] == config.model.stride[1], ErrorKind::config, "MODEL.STRIDE_SIZE",
                 "two different numbers", "one number twice");
  const TrainingStateOptions plan{.identities = sizes.identities,
                                  .sie_rows = sie_rows(config.model, sizes),
                                  .prompt = recipe.prompt,
                                  .word = std::string(word_of_dataset(config.datasets.name)),
                                  .image = training_size(config),
                                  .stride = config.model.stride[0],
                                  .resize = recipe.resize,
                                  .keeps_logit_scale = recipe.keeps_logit_scale,
                                  .uses_lora = recipe.uses_lora,
                                  .lora_encoder = config.lora.encoder,
                                  .lora_position = config.lora.position,
                                  .lora_projections = config.lora.projections,
                                  .lora_rank = config.lora.rank,
                                  .seed = static_cast<std::uint64_t>(config.solver.seed)};
  const StateDict state = training_state(loaded, plan, weights);
  const AdapterOptions adapter{.alpha = config.lora.alpha, .dropout = config.lora.dropout};
  return std::make_shared<ReidModel>(
      state,
      ReidOptions{.image = training_size(config),
                  .stride = config.model.stride[0],
                  .sie_camera = config.model.sie_camera,
                  .sie_view = config.model.sie_view,
                  .sie_coe = config.model.sie_factor,
                  .views = sizes.views,
                  .neck = config.test.uses_neck() ? NeckFeature::after : NeckFeature::before,
                  .adapter = adapter},
      weights);
}

std::unique_ptr<Sampler> make_sampler(const Stage& stage, const Dataset& dataset, std::uint64_t seed) {
  std::vector<std::int64_t> labels;
  for (const Record& record : dataset.train)
    labels.push_back(record.identity);
  return samplers().at(stage.sampler)(
      labels, {.batch_size = static_cast<std::size_t>(stage.solver.batch_size),
               .images_per_identity = static_cast<std::size_t>(stage.images_per_identity),
               .seed = seed});
}

std::uint64_t stage_seed(const Stage& stage, const Config& config) {
  return static_cast<std::uint64_t>(config.solver.seed) + (static_cast<std::uint64_t>(stage.number) << 48);
}

void require_usable(const TrainOptions& options) {
  VLREID_REQUIRE(options.precision != Precision::f16 || parse_device(options.device).is_cuda(),
                 ErrorKind::usage, "--dtype", "fp16 on " + options.device, "a GPU for fp16",
                 "use bf16 or f32, or --device cuda");
}

StageTrainerOptions stage_trainer_options(const Stage& stage, const Config& config,
                                          const TrainOptions& options) {
  return {
      .precision = options.precision, .accumulate = options.accumulate, .seed = stage_seed(stage, config)};
}

TrainingBatchesOptions image_options(const Config& config, const TrainOptions& options) {
  const int wanted = options.threads > 0 ? options.threads : static_cast<int>(config.dataloader.workers);
  return {.transform = {.height = static_cast<int>(config.input.train_size[0]),
                        .width = static_cast<int>(config.input.train_size[1]),
                        .mean = floats(config.input.pixel_mean),
                        .std = floats(config.input.pixel_std),
                        .flip_probability = config.input.flip_probability,
                        .padding = static_cast<int>(config.input.padding),
                        .erasing_probability = config.input.erasing_probability},
          .threads = std::clamp(wanted, 1, available_cores())};
}

void write_run_file(const fs::path& folder, const Config& config, const TrainOptions& options,
                    const std::string& method) {
  const nlohmann::json description = {{"version", options.version}, {"command", options.command_line},
                                      {"seed", config.solver.seed}, {"method", method},
                                      {"device", options.device},   {"accumulate", options.accumulate}};
  write_file(folder / kRunFile, description.dump(1) + "\n");
}

void recompute_activations(ReidModel& model) {
  if (Transformer* blocks = model.image_encoder().transformer()) blocks->set_recompute(Recompute::blocks);
  if (TextEncoder* text = model.text_encoder()) text->blocks().set_recompute(Recompute::blocks);
}

std::size_t first_stage(const Recipe& recipe, int only_stage) {
  if (only_stage == 0) return 0;
  const auto found = std::ranges::find(recipe.stages, only_stage, &Stage::number);
  VLREID_REQUIRE(found != recipe.stages.end(), ErrorKind::usage, "--stage",
                 std::to_string(only_stage) + " with the method " + recipe.name, "a stage that it has",
                 "leave it out");
  return static_cast<std::size_t>(found - recipe.stages.begin());
}

} // namespace vlreid
