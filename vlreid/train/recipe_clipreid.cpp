#include "vlreid/train/recipe.h"

namespace vlreid {

Recipe make_clipreid_recipe(const Config& config) {
  Stage tuning = image_stage(config, config.solver.stage2);
  tuning.losses.push_back({"image_to_text", config.model.text_loss_weight});
  Recipe recipe{.prompt = "clipreid"};
  recipe.stages = {prompt_stage(config), tuning};
  return recipe;
}

} // namespace vlreid
