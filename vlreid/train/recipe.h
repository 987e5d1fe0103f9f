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
#include "vlreid/weights/naming.h"

#include <optional>
#include <string>
#include <vector>

namespace vlreid {

struct LossTerm {
  std::string loss; // of losses()
  double weight = 1;
  std::int64_t first_epoch = 1; // without it before
};

// The weights of a stage's epochs in an average of the model over them: those of a normal distribution.
struct EpochAverage {
  double mean = 30, deviation = 30;
  std::string part = {}; // only names that begin like this; empty: the whole model
};

struct Stage {
  int number = 1;          // in log records; the baseline's only stage is 2, the tuning of the image encoder
  std::string step = {};   // of steps(): what a batch is made of, and what is computed from it
  std::string trains = {}; // of trainable_sets()
  std::vector<LossTerm> losses = {};
  LossOptions loss_options = {};
  std::string schedule = {};          // of schedules()
  bool changes_rate_in_epoch = false; // with every step, as pre-training does, instead of every epoch
  std::optional<double> encoder_weight_decay = {}; // of the image encoder, instead of the solver's
  bool ends_with_shorter_set = false;              // of two sets that take turns
  bool spares_vectors = false; // no weight decay of biases, norms and scales, whatever the solver says
  std::string sampler = {};    // of samplers()
  std::int64_t images_per_identity = 4;
  bool augments = true; // flips, shifts and erases images
  // Features that are cached are of images resized as in training (bicubic), not as in tests.
  bool caches_training_pixels = false;
  std::optional<EpochAverage> average = {}; // of the model, which ends the stage with it
  std::string file_suffix = {};             // of checkpoints: NAME + suffix + "_EPOCH.pth"
  bool is_evaluated = true;                 // every EVAL_PERIOD
  TuningOptions solver = {};
};

struct Recipe {
  std::string name = {};
  std::string prompt = "none"; // of the model's prompt learner
  bool keeps_logit_scale = false;
  bool uses_lora = false;
  // Of Multimodal-ReID, see reid/training_state.h.
  Family names = Family::clip_reid;
  std::int64_t deep_prompts = 0; // in both encoders, or in the image encoder alone
  bool adapts_feature = false;
  bool keeps_frozen_encoder = false;
  std::optional<std::int64_t> frozen_stride = {}; // of its patches; open: their size
  // Hard sharing: words and classifiers for each of two sets, one image encoder; and one text encoder, unless
  // each has its own.
  bool shares_encoder = false, has_two_texts = false;
  PositionResize resize = PositionResize::bilinear;
  std::vector<Stage> stages = {};
};

using RecipeFactory = Recipe (*)(const Config& config);

#define VLREID_BUILTIN(name, description) Recipe make_##name##_recipe(const Config& config);
#include "vlreid/train/builtin.def"
#undef VLREID_BUILTIN

const Registry<RecipeFactory>& recipes();

// The method of MODEL.PROMPT, with LoRA where the configuration says so. Error(config) for what does not go
// together.
Recipe make_recipe(const Config& config);

// What is in the configuration and cannot be part of the method: Error(config) with the key and the reason.
void require_combinable(const Config& config, const Recipe& recipe);

// Parts that recipes share.
Stage prompt_stage(const Config& config);                             // stage 1 over cached image features
Stage image_stage(const Config& config, const TuningOptions& solver); // stage 2 without its text loss

// Multimodal-ReID's two stages with the words of a prompt learner alone (spec/multimodal.md, section 7).
Recipe multimodal_recipe(const Config& config, const char* prompt);

// The same with words and classifiers for each of two sets, whose batches take turns.
Recipe hard_sharing(Recipe recipe);

bool has_loss(const Stage& stage, std::string_view loss);

} // namespace vlreid
