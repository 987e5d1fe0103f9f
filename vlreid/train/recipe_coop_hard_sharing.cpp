#include "vlreid/base/error.h"
#include "vlreid/train/recipe.h"

namespace vlreid {

namespace {

constexpr double kMemoryWeight = 0.2;
constexpr std::int64_t kMemoryBegins = 11; // epoch

} // namespace

// Stage 2 ends with the average of its epochs, of the image encoder alone, and compares with earlier batches
// once it has settled (spec/multimodal.md, section 8).
Recipe hard_sharing(Recipe recipe, const Config& config) {
  VLREID_REQUIRE(config.datasets.alternates, ErrorKind::config, "DATASETS.ALTERNATE",
                 "off with a method for two datasets", "on", "set it, and the second one in DATASETS.MERGED");
  VLREID_REQUIRE(!config.model.sie_camera && !config.model.sie_view, ErrorKind::config, "MODEL.SIE_CAMERA",
                 "side information with a method for two datasets", "none",
                 "its table would be one for each set: switch it and MODEL.SIE_VIEW off");
  recipe.shares_encoder = true;
  Stage& tuning = recipe.stages.back();
  tuning.average = EpochAverage{.mean = 30, .deviation = 30, .part = "image_encoder."};
  tuning.losses.push_back({"memory_triplet", kMemoryWeight, kMemoryBegins});
  return recipe;
}

Recipe make_coop_hard_sharing_recipe(const Config& config) {
  return hard_sharing(make_coop_recipe(config), config);
}

} // namespace vlreid
