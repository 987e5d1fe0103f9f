#include "vlreid/train/recipe.h"

namespace vlreid {

// The image features change with what stage 1 learns, so they cannot be cached. On two sets that take turns
// the reference caches them all the same: there the tokens of the image encoder stay as they were loaded.
Recipe make_ivlp_recipe(const Config& config) {
  Recipe recipe = multimodal_recipe(config, "ivlp");
  recipe.deep_prompts = config.model.deep_prompts;
  Stage& words = recipe.stages.front();
  const bool keeps_image_tokens = config.datasets.alternates && !config.model.deep_prompts_path.empty();
  words.step = keeps_image_tokens ? "prompts" : "image_prompts";
  words.trains = "all_prompts";
  return recipe;
}

} // namespace vlreid
