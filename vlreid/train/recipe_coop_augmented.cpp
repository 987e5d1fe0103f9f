#include "vlreid/train/recipe.h"

namespace vlreid {

Recipe make_coop_augmented_recipe(const Config& config) {
  return multimodal_recipe(config, "coop_augmented");
}

} // namespace vlreid
