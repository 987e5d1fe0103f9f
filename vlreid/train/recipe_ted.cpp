#include "vlreid/train/recipe.h"

namespace vlreid {

Recipe make_ted_recipe(const Config& config) {
  Recipe recipe = make_clipreid_recipe(config);
  recipe.prompt = "ted";
  recipe.keeps_logit_scale = true;
  recipe.uses_lora = config.model.use_lora;
  if (recipe.uses_lora) recipe.stages.back().trains = "lora";
  return recipe;
}

} // namespace vlreid
