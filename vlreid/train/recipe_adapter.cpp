#include "vlreid/train/recipe.h"

namespace vlreid {

// Unlike the published CLIP-Adapter the encoder learns too.
Recipe make_adapter_recipe(const Config& config) {
  Recipe recipe = multimodal_recipe(config, "adapter");
  recipe.adapts_feature = true;
  return recipe;
}

} // namespace vlreid
