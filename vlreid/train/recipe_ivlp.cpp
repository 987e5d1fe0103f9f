#include "vlreid/train/recipe.h"

namespace vlreid {

// The image features change with what stage 1 learns, so they cannot be cached.
Recipe make_ivlp_recipe(const Config& config) {
  Recipe recipe = multimodal_recipe(config, "ivlp");
  recipe.deep_prompts = config.model.deep_prompts;
  Stage& words = recipe.stages.front();
  words.step = "image_prompts";
  words.trains = "all_prompts";
  return recipe;
}

} // namespace vlreid
