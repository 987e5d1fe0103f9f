#include "vlreid/train/recipe.h"

namespace vlreid {

namespace {

constexpr double kMemoryWeight = 0.2;
constexpr std::int64_t kMemoryBegins = 11; // epoch

} // namespace

// Stage 2 ends with the average of its epochs, of the image encoder alone, and compares with earlier batches
// once it has settled (spec/multimodal.md, section 8).
Recipe hard_sharing(Recipe recipe) {
  recipe.shares_encoder = true;
  Stage& tuning = recipe.stages.back();
  tuning.average = EpochAverage{.mean = 30, .deviation = 30, .part = "image_encoder."};
  tuning.losses.push_back({"memory_triplet", kMemoryWeight, kMemoryBegins});
  return recipe;
}

Recipe make_coop_hard_sharing_recipe(const Config& config) {
  return hard_sharing(make_coop_recipe(config));
}

} // namespace vlreid
