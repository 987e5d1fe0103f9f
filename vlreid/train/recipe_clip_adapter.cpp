#include "vlreid/train/recipe.h"

namespace vlreid {

Recipe make_clip_adapter_recipe(const Config& config) {
  Recipe recipe = make_adapter_recipe(config);
  recipe.stages.back().trains = "feature_adapter";
  return recipe;
}

} // namespace vlreid
