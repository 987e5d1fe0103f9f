// A training method as data: its stages, and in each what is trained, from what, with which losses, optimiser
// and schedule. A family (builtin.def) with one file per member; docs/adding-a-method.md shows an addition.
//
//     const Recipe recipe = make_recipe(config);   // MODEL.PROMPT decides; 'none' is the baseline
#pragma once

#include "vlreid/base/registry.h"
#include "vlreid/config/config.h"
#include "vlreid/losses/loss.h"
#include "vlreid/nn/position.h"
#include "vlreid/optim/schedule.h"

#include <string>
#include <vector>

namespace vlreid {

struct LossTerm {
  std::string loss; // of losses()
  double weight = 1;
};

struct Stage {
  int number = 1;          // in log records; the baseline's only stage is 2, the tuning of the image encoder
  std::string step = {};   // of steps(): what a batch is made of, and what is computed from it
  std::string trains = {}; // of trainable_sets()
  std::vector<LossTerm> losses = {};
  LossOptions loss_options = {};
  std::string schedule = {};          // of schedules()
  bool changes_rate_in_epoch = false; // with every step, as pre-training does, instead of every epoch
  bool spares_vectors = false;        // no weight decay of biases, norms and scales, whatever the solver says
  std::string sampler = {};           // of samplers()
  std::int64_t images_per_identity = 4;
  std::string file_suffix = {}; // of checkpoints: NAME + suffix + "_EPOCH.pth"
  bool is_evaluated = true;     // every EVAL_PERIOD
  TuningOptions solver = {};
};

struct Recipe {
  std::string name = {};
  std::string prompt = "none"; // of the model's prompt learner
  bool keeps_logit_scale = false;
  bool uses_lora = false;
  PositionResize resize = PositionResize::bilinear;
  std::vector<Stage> stages = {};
};

using RecipeFactory = Recipe (*)(const Config& config);

#define VLREID_BUILTIN(name, description) Recipe make_##name##_recipe(const Config& config);
#include "vlreid/train/builtin.def"
#undef VLREID_BUILTIN

const Registry<RecipeFactory>& recipes();

Recipe make_recipe(const Config& config);

// Parts that recipes share.
Stage prompt_stage(const Config& config);                             // stage 1 over cached image features
Stage image_stage(const Config& config, const TuningOptions& solver); // stage 2 without its text loss

bool has_loss(const Stage& stage, std::string_view loss);

} // namespace vlreid
