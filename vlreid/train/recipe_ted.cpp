#include "vlreid/train/recipe.h"

namespace vlreid {

Recipe make_ted_recipe(const Config& config) {
  Recipe recipe = make_clipreid_recipe(config);
  recipe.prompt = "ted";
  recipe.keeps_logit_scale = true;
  return recipe;
}

} // namespace vlreid
