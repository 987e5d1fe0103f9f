// What a run needs before its first step: data, the model in its starting form, each stage's batches.
#pragma once

#include "vlreid/batches/sampler.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/train/batch_source.h"
#include "vlreid/train/recipe.h"
#include "vlreid/train/run.h"
#include "vlreid/train/stage_trainer.h"

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace vlreid {

// A dataset to train on, whose images from `second_begins` on are those of DATASETS.MERGED.
struct TrainingSet : Dataset {
  std::optional<std::size_t> second_begins = {};
  std::int64_t first_identities = 0; // of the first, when there are two
};

// The training images must be there; evaluation lists may be empty.
TrainingSet open_training_set(const Config& config);

// The file that training starts from: --weights, the stage-1 file of the folder for stage 2 alone, or
// MODEL.PRETRAIN_PATH.
std::string starting_weights(const Config& config, const Recipe& recipe, const TrainOptions& options);

std::shared_ptr<ReidModel> make_training_model(const Config& config, const Recipe& recipe,
                                               const TrainingSet& dataset, const std::string& weights,
                                               int only_stage);

std::unique_ptr<Sampler> make_sampler(const Stage& stage, const Config& config, const TrainingSet& dataset,
                                      std::uint64_t seed);

// Stages draw apart from each other.
std::uint64_t stage_seed(const Stage& stage, const Config& config);
// Throws Error(usage) for options that cannot go together.
void require_usable(const TrainOptions& options);

StageTrainerOptions stage_trainer_options(const Stage& stage, const Config& config,
                                          const TrainOptions& options);

// run.json: version, command and seed, to do the run again.
void write_run_file(const std::filesystem::path& folder, const Config& config, const TrainOptions& options,
                    const std::string& method);

// The batches with the set that they are of, for a model that has two.
std::unique_ptr<BatchSource> with_sets(std::unique_ptr<BatchSource> source, const ReidModel& model,
                                       const TrainingSet& dataset);

TrainingBatchesOptions image_options(const Config& config, const TrainOptions& options, const Stage& stage,
                                     const std::array<std::int64_t, 2>& size);

// The stage's images, those of the second set in a size of their own where the configuration says so.
std::unique_ptr<BatchSource> make_stage_images(const Config& config, const TrainOptions& options,
                                               const Stage& stage, const TrainingSet& dataset,
                                               const Sampler& sampler, at::Device device);

// Heights and widths of training images: one of all, or with the number of the first image that has another.
struct TrainingSizes {
  std::array<std::int64_t, 2> first, second;
  std::optional<std::size_t> second_begins = {}; // none: all images have the first
};
TrainingSizes training_sizes(const Config& config, const TrainingSet& dataset);

// Activation checkpointing in every transformer block of both encoders.
void recompute_activations(ReidModel& model);

// Where `--stage N` begins in the recipe's list; a usage error when the recipe has no such stage.
std::size_t first_stage(const Recipe& recipe, int only_stage);

} // namespace vlreid
