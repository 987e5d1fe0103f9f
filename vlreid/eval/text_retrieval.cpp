#include "vlreid/eval/text_retrieval.h"

#include "vlreid/base/error.h"
#include "vlreid/base/progress.h"

#include <nlohmann/json.hpp>

namespace vlreid {

std::vector<float> row_ends(const std::vector<float>& rows, std::size_t dims, std::size_t kept) {
  std::vector<float> ends;
  ends.reserve(rows.size() / dims * kept);
  for (auto row = rows.begin(); row != rows.end(); row += static_cast<std::ptrdiff_t>(dims)) {
    const auto end = row + static_cast<std::ptrdiff_t>(dims);
    ends.insert(ends.end(), end - static_cast<std::ptrdiff_t>(kept), end);
  }
  return ends;
}

LabelledFeatures embed_captions(Embedder& embedder, std::span<const CaptionedImage> images,
                                Progress* progress) {
  const ModelSettings& settings = embedder.options().settings;
  VLREID_ASSERT(!settings.uses_neck.value_or(false) && !settings.sie_camera.value_or(false) &&
                !settings.sie_view.value_or(false));
  LabelledFeatures features;
  features.dims = embedder.shared_dims();
  for (const CaptionedImage& image : images) {
    features.gallery.paths.push_back(image.path);
    features.gallery.identities.push_back(image.identity);
    for (const std::string& caption : image.captions) {
      features.query.paths.push_back(caption);
      features.query.identities.push_back(image.identity);
    }
  }
  const auto count = [progress](std::size_t done) {
    if (progress != nullptr) progress->add(static_cast<std::int64_t>(done));
  };
  features.query.values = embedder.run_sentences(features.query.paths, count);
  features.gallery.values =
      row_ends(embedder.run_all(features.gallery.paths, {}, count), static_cast<std::size_t>(embedder.dims()),
               static_cast<std::size_t>(features.dims));
  return features;
}

nlohmann::json text_retrieval_json(const Scores& scores, const LabelledFeatures& features) {
  const Metrics& metrics = scores.plain;
  return {{"R1", metrics.cmc.at(0)},
          {"R5", metrics.cmc.at(4)},
          {"R10", metrics.cmc.at(9)},
          {"mAP", metrics.mean_average_precision},
          {"mINP", metrics.mean_inverse_negative_penalty},
          {"sentences", features.query.size()},
          {"images", features.gallery.size()}};
}

} // namespace vlreid
