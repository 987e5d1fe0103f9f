#include "vlreid/train/recipe.h"

namespace vlreid {

Recipe make_baseline_recipe(const Config& config) {
  Recipe recipe;
  recipe.stages = {image_stage(config, config.solver.single)};
  return recipe;
}

} // namespace vlreid
