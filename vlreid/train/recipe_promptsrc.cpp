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
  tuning.losses.push_back({"frozen_feature", 1});
  return recipe;
}

} // namespace vlreid
