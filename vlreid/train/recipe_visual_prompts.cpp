#include "vlreid/train/recipe.h"

namespace vlreid {

// As many tokens a block as IVLP has, and the solver of its stage 1 in the keys of one stage.
Recipe make_visual_prompts_recipe(const Config& config) {
  Recipe recipe = make_baseline_recipe(config);
  recipe.names = Family::mm;
  recipe.resize = PositionResize::bicubic;
  recipe.deep_prompts = config.model.deep_prompts;
  recipe.stages.front().trains = "visual_prompts";
  return recipe;
}

} // namespace vlreid
