#include "vlreid/eval/embed_dataset.h"

#include "vlreid/base/error.h"
#include "vlreid/base/progress.h"

namespace vlreid {
namespace {

std::vector<float> embed(Embedder& embedder, const Subset& subset, Progress* progress) {
  std::vector<std::string> paths;
  std::vector<SideInformation> side;
  for (const Record& record : subset) {
    paths.push_back(record.path);
    side.push_back({.camera = record.camera, .view = record.view});
  }
  return embedder.run_all(paths, side, [&](std::size_t count) {
    if (progress != nullptr) progress->add(static_cast<std::int64_t>(count));
  });
}

} // namespace

void require_evaluation_lists(const Dataset& dataset) {
  VLREID_REQUIRE(!dataset.query.empty() && !dataset.gallery.empty(), ErrorKind::data, dataset.root.string(),
                 dataset.query.empty() ? "no query image" : "no gallery image", "images in both",
                 "run vlreid check on this dataset");
}

LabelledFeatures embed_evaluation_lists(Embedder& embedder, const Dataset& dataset, Progress* progress) {
  require_evaluation_lists(dataset);
  LabelledFeatures features = label_evaluation_lists(dataset);
  features.dims = embedder.dims();
  features.query.values = embed(embedder, dataset.query, progress);
  features.gallery.values = embed(embedder, dataset.gallery, progress);
  return features;
}

} // namespace vlreid
