#include "vlreid/train/setup.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/batches/image_cache.h"
#include "vlreid/reid/training_state.h"
#include "vlreid/tensor/device.h"
#include "vlreid/text/templates.h"
#include "vlreid/text/vehicle_types.h"
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

// Types of all identities where one of two sets knows them; of the other the word of its sentence.
void join_vehicle_types(Dataset& dataset, const Dataset& more, const DatasetSelection& selected) {
  if (dataset.vehicle_types.empty() && more.vehicle_types.empty()) return;
  const auto types_of = [](const Dataset& set, const std::string& name) {
    const auto identities = static_cast<std::size_t>(table_sizes(set.train).identities);
    return set.vehicle_types.empty()
               ? std::vector<std::string>(identities, std::string(word_of_dataset(name)))
               : set.vehicle_types;
  };
  dataset.vehicle_types = types_of(dataset, selected.name);
  for (const std::string& type : types_of(more, selected.merged))
    dataset.vehicle_types.push_back(type);
}

// Identities and cameras of the second set follow those of the first.
void add_training_images(TrainingSet& dataset, const Dataset& more, const DatasetSelection& selected) {
  join_vehicle_types(dataset, more, selected);
  const TableSizes first = table_sizes(dataset.train);
  dataset.second_begins = dataset.train.size();
  dataset.first_identities = first.identities;
  for (Record record : more.train) {
    record.identity += static_cast<decltype(record.identity)>(first.identities);
    record.camera += static_cast<decltype(record.camera)>(first.cameras);
    dataset.train.push_back(std::move(record));
  }
  dataset.train_numbers.insert(dataset.train_numbers.end(), more.train_numbers.begin(),
                               more.train_numbers.end());
  dataset.warnings.insert(dataset.warnings.end(), more.warnings.begin(), more.warnings.end());
  dataset.name += "+" + more.name;
}

void score_on(Dataset& dataset, Dataset test) {
  dataset.query = std::move(test.query);
  dataset.gallery = std::move(test.gallery);
  dataset.trials = std::move(test.trials);
  dataset.has_cameras = test.has_cameras;
  dataset.warnings.insert(dataset.warnings.end(), test.warnings.begin(), test.warnings.end());
  dataset.name += " > " + test.name;
}

struct SentencePlan {
  std::string prompt; // of text/templates.h
  std::vector<std::string> words;
};

// What is made for a training set: the sizes of its tables and the sentences of its identities.
struct SetPlan {
  TableSizes sizes;
  SentencePlan sentence;
};

// CoOp has a sentence of its own for each vehicle whose type is known from the set's label files.
SentencePlan sentence_plan(const Recipe& recipe, std::span<const std::string> vehicle_types,
                           const std::string& set) {
  if (recipe.prompt != "coop" || vehicle_types.empty())
    return {recipe.prompt, {std::string(word_of_dataset(set))}};
  SentencePlan plan{"coop_veri", {}};
  for (const std::string& type : vehicle_types)
    plan.words.push_back(vehicle_type_text(type));
  return plan;
}

// Of the whole set, or of the parts that hard sharing has models for.
std::vector<SetPlan> set_plans(const Config& config, const Recipe& recipe, const TrainingSet& dataset) {
  const TableSizes all = table_sizes(dataset.train);
  const std::span<const std::string> types = dataset.vehicle_types;
  if (!recipe.shares_encoder) return {SetPlan{all, sentence_plan(recipe, types, config.datasets.name)}};
  TableSizes first = all, second = all;
  first.identities = dataset.first_identities;
  second.identities = all.identities - dataset.first_identities;
  const auto middle = static_cast<std::size_t>(types.empty() ? 0 : dataset.first_identities);
  return {SetPlan{first, sentence_plan(recipe, types.first(middle), config.datasets.name)},
          SetPlan{second, sentence_plan(recipe, types.subspan(middle), config.datasets.merged)}};
}

// What a file holds for the second model of hard sharing; plain weights are the same for both.
StateDict for_second(const StateDict& loaded) {
  const std::string prefix = "second.";
  StateDict state;
  for (const auto& [name, tensor] : loaded)
    if (!name.starts_with(prefix)) state.add(name, tensor);
  for (const auto& [name, tensor] : loaded.below(prefix))
    state.set(name, tensor);
  return state;
}

Grid training_size(const Config& config) {
  return {config.input.train_size[0], config.input.train_size[1]};
}

std::shared_ptr<ReidModel> make_model(const Config& config, const Recipe& recipe, const SetPlan& set,
                                      const StateDict& loaded, const std::string& weights) {
  const auto optional_weights = [](const std::string& path) {
    return path.empty() ? StateDict() : load_weights(path).state;
  };
  const TrainingStateOptions plan{
      .identities = set.sizes.identities,
      .sie_rows = sie_rows(config.model, set.sizes),
      .prompt = set.sentence.prompt,
      .words = set.sentence.words,
      .image = training_size(config),
      .stride = config.model.stride[0],
      .resize = recipe.resize,
      .keeps_logit_scale = recipe.keeps_logit_scale,
      .names = recipe.names,
      .deep_prompts = recipe.deep_prompts,
      .deep_prompt_weights = optional_weights(recipe.deep_prompts > 0 ? config.model.deep_prompts_path : ""),
      .adapts_feature = recipe.adapts_feature,
      .keeps_frozen_encoder = recipe.keeps_frozen_encoder,
      .frozen_stride = recipe.frozen_stride.value_or(0),
      .frozen_weights = optional_weights(recipe.keeps_frozen_encoder ? config.model.frozen_path : ""),
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
                  .views = set.sizes.views,
                  .neck = config.test.uses_neck() ? NeckFeature::after : NeckFeature::before,
                  .adapter = adapter,
                  .keeps_frozen_encoder = recipe.keeps_frozen_encoder},
      weights);
}

} // namespace

TrainingSet open_training_set(const Config& config) {
  const DatasetSelection& selected = config.datasets;
  const auto open = [&](const std::string& name) {
    return open_dataset(name, selected.root, {.seed = static_cast<std::uint64_t>(config.solver.seed)});
  };
  TrainingSet dataset{open(selected.name)};
  if (!selected.merged.empty()) add_training_images(dataset, open(selected.merged), selected);
  if (!selected.test.empty()) score_on(dataset, open(selected.test));
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
                                               const TrainingSet& dataset, const std::string& weights,
                                               int only_stage) {
  const StateDict loaded = load_weights(weights).state;
  VLREID_REQUIRE(only_stage < 2 || recipe.stages.size() == 1 || !loaded.below("prompt_learner.").empty(),
                 ErrorKind::data, weights, "no learned prompts", "a file that stage 1 has left",
                 "run stage 1 first, or leave out --stage");
  const std::vector<SetPlan> sets = set_plans(config, recipe, dataset);
  const auto model = make_model(config, recipe, sets.front(), loaded, weights);
  if (sets.size() > 1)
    model->add_second(make_model(config, recipe, sets.back(), for_second(loaded), weights),
                      recipe.has_two_texts);
  if (training_sizes(config, dataset).second_begins) model->accept_other_sizes();
  return model;
}

std::unique_ptr<Sampler> make_sampler(const Stage& stage, const Config& config, const TrainingSet& dataset,
                                      std::uint64_t seed) {
  std::vector<std::int64_t> labels;
  for (const Record& record : dataset.train)
    labels.push_back(record.identity);
  const auto sampler_of = [&](std::span<const std::int64_t> part) {
    return samplers().at(stage.sampler)(
        part, {.batch_size = static_cast<std::size_t>(stage.solver.batch_size),
               .images_per_identity = static_cast<std::size_t>(stage.images_per_identity),
               .seed = seed});
  };
  if (!config.datasets.alternates) return sampler_of(labels);
  VLREID_REQUIRE(dataset.second_begins.has_value(), ErrorKind::config, "DATASETS.ALTERNATE", "one dataset",
                 "two, whose batches take turns", "name the second one in DATASETS.MERGED");
  const std::span<const std::int64_t> all = labels;
  const std::size_t middle = *dataset.second_begins;
  return make_alternating_sampler(sampler_of(all.first(middle)), sampler_of(all.subspan(middle)), middle,
                                  stage.ends_with_shorter_set);
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

std::unique_ptr<BatchSource> with_sets(std::unique_ptr<BatchSource> source, const ReidModel& model,
                                       const TrainingSet& dataset) {
  if (!model.has_second()) return source;
  return make_set_source(std::move(source), *dataset.second_begins, dataset.first_identities);
}

TrainingBatchesOptions image_options(const Config& config, const TrainOptions& options, const Stage& stage,
                                     const std::array<std::int64_t, 2>& size) {
  const int wanted = options.threads > 0 ? options.threads : static_cast<int>(config.dataloader.workers);
  return {.transform = {.height = static_cast<int>(size[0]),
                        .width = static_cast<int>(size[1]),
                        .mean = floats(config.input.pixel_mean),
                        .std = floats(config.input.pixel_std),
                        .flip_probability = stage.augments ? config.input.flip_probability : 0,
                        .padding = stage.augments ? static_cast<int>(config.input.padding) : 0,
                        .erasing_probability = stage.augments ? config.input.erasing_probability : 0},
          .seed = stage_seed(stage, config),
          .threads = std::clamp(wanted, 1, available_cores())};
}

TrainingSizes training_sizes(const Config& config, const TrainingSet& dataset) {
  TrainingSizes sizes{.first = config.input.train_size, .second = config.input.second_size()};
  if (sizes.second != sizes.first) sizes.second_begins = dataset.second_begins;
  return sizes;
}

std::unique_ptr<BatchSource> make_stage_images(const Config& config, const TrainOptions& options,
                                               const Stage& stage, const TrainingSet& dataset,
                                               const Sampler& sampler, at::Device device) {
  const TrainingSizes sizes = training_sizes(config, dataset);
  TrainingBatchesOptions first = image_options(config, options, stage, sizes.first);
  if (!sizes.second_begins) return make_image_source(dataset.train, sampler, first, device);
  TrainingBatchesOptions second = image_options(config, options, stage, sizes.second);
  first.cache_bytes = second.cache_bytes = free_memory_bytes() / 4; // together what one source takes
  return make_two_size_source(dataset.train, sampler, *sizes.second_begins, first, second, device);
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
