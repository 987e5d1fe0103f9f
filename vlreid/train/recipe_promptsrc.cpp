#include "vlreid/train/recipe.h"

namespace vlreid {

// Means and deviations of the epochs' weights are those of the reference, whatever the number of epochs.
Recipe make_promptsrc_recipe(const Config& config) {
  Recipe recipe = make_ivlp_recipe(config);
  recipe.prompt = "promptsrc";
  recipe.keeps_frozen_encoder = true;
  recipe.stages.front().average = EpochAverage{.mean = 60, .deviation = 45};
  Stage& tuning = recipe.stages.back();
  tuning.average = EpochAverage{.mean = 30, .deviation = 30};
  // On two sets that take turns the reference compares in the space shared with text, with an encoder whose
  // patches are those of the one that learns.
  const bool takes_turns = config.datasets.alternates;
  if (takes_turns) recipe.frozen_stride = config.model.stride[0];
  tuning.losses.push_back({takes_turns ? "frozen_proj" : "frozen_feature", 1});
  return recipe;
}

} // namespace vlreid
