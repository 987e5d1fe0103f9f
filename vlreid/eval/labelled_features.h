// Embeddings of queries and gallery with their labels, owned: what evaluation scores, from a model's run or
// from a file. Rows are in the order of the dataset's lists. Plain value.
#pragma once

#include "vlreid/datasets/dataset.h"
#include "vlreid/retrieval/features.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

struct LabelledSet {
  std::vector<float> values;            // [N, F] raw
  std::vector<std::int64_t> identities; // [N]
  std::vector<std::int64_t> cameras;    // [N], empty for a set without cameras
  std::vector<std::int64_t> items;      // [N], which image; only for sets without cameras
  std::vector<std::string> paths;       // [N], or empty when not known

  std::size_t size() const { return identities.size(); }
  FeatureSet view(std::int64_t dims) const {
    return {.values = values, .dims = dims, .identities = identities, .cameras = cameras, .items = items};
  }
};

struct LabelledFeatures {
  std::int64_t dims = 0; // F
  LabelledSet query, gallery;
  std::vector<Trial> trials; // VehicleID's draws; empty: query against gallery once
};

// Labels of the dataset's query and gallery; values are left empty for the caller to fill.
LabelledFeatures label_evaluation_lists(const Dataset& dataset);

// Rows of the evaluation list (query followed by gallery) that one trial uses.
LabelledFeatures select_trial(const LabelledFeatures& features, const Trial& trial);

// Reads query_features [Q,F], query_ids, query_cameras, gallery_features [G,F], gallery_ids, gallery_cameras
// (int64; the cameras may be absent in both: a set without cameras). A missing or misshapen tensor is a data
// error.
LabelledFeatures load_features(const std::filesystem::path& path);
// The same file; paths go to its metadata as JSON lists.
void save_features(const std::filesystem::path& path, const LabelledFeatures& features);

} // namespace vlreid
