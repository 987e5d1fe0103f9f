#include "vlreid/train/recipe.h"

namespace vlreid {
namespace {

constexpr double kEncoderDecay = 1e-5; // of the image encoder and its learned tokens, as in the reference

} // namespace

// An epoch ends with the shorter set.
Recipe make_ivlp_hard_sharing_recipe(const Config& config) {
  Recipe recipe = hard_sharing(make_ivlp_recipe(config));
  recipe.has_two_texts = true;
  recipe.stages.front().step = "image_prompts";
  recipe.stages.front().average = EpochAverage{.mean = 60, .deviation = 45, .part = "image_encoder."};
  for (Stage& stage : recipe.stages) {
    stage.encoder_weight_decay = kEncoderDecay;
    stage.ends_with_shorter_set = true;
  }
  return recipe;
}

} // namespace vlreid
