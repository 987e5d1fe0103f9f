#include "vlreid/base/error.h"
#include "vlreid/train/recipe.h"

namespace vlreid {

// Stage 2 ends with the average of its epochs, of the image encoder alone (spec/multimodal.md, section 8).
Recipe hard_sharing(Recipe recipe, const Config& config) {
  VLREID_REQUIRE(config.datasets.alternates, ErrorKind::config, "DATASETS.ALTERNATE",
                 "off with a method for two datasets", "on", "set it, and the second one in DATASETS.MERGED");
  VLREID_REQUIRE(!config.model.sie_camera && !config.model.sie_view, ErrorKind::config, "MODEL.SIE_CAMERA",
                 "side information with a method for two datasets", "none",
                 "its table would be one for each set: switch it and MODEL.SIE_VIEW off");
  recipe.shares_encoder = true;
  recipe.stages.back().average = EpochAverage{.mean = 30, .deviation = 30, .part = "image_encoder."};
  return recipe;
}

Recipe make_coop_hard_sharing_recipe(const Config& config) {
  return hard_sharing(make_coop_recipe(config), config);
}

} // namespace vlreid
