#include "vlreid/train/recipe.h"

namespace vlreid {

Recipe multimodal_recipe(const Config& config, const char* prompt) {
  Stage words = prompt_stage(config), tuning = image_stage(config, config.solver.stage2);
  words.augments = false;
  words.caches_training_pixels = true;
  tuning.losses.push_back({"image_to_text", config.model.text_loss_weight});
  return {.prompt = prompt,
          .keeps_logit_scale = true,
          .names = Family::mm,
          .resize = PositionResize::bicubic,
          .stages = {words, tuning}};
}

Recipe make_coop_recipe(const Config& config) {
  return multimodal_recipe(config, "coop");
}

} // namespace vlreid
