#include "vlreid/train/recipe.h"

namespace vlreid {

// The words are learned through images that carry learned tokens, so these cannot be cached.
Recipe make_ted_visual_prompts_recipe(const Config& config) {
  Recipe recipe = make_ted_recipe(config);
  recipe.deep_prompts = config.model.deep_prompts;
  Stage& words = recipe.stages.front();
  words.step = "image_prompts";
  words.trains = "all_prompts";
  return recipe;
}

} // namespace vlreid
