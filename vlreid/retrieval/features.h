// Embeddings with their labels, as retrieval reads them: views over memory that somebody else owns. First box
// of the evaluation:
//
//     FeatureSet (query, gallery) --distances--> rows [G] --ranking--> ranks of the true matches
//     --evaluate--> Metrics
//
// Behaviour: reference-behaviour, section 8. Every function may be called from several threads on different
// data; the work inside is spread over LibTorch's threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vlreid/products/products.h"

namespace vlreid {

struct FeatureSet {
  std::span<const float> values;            // [N, F], raw or normalised
  std::int64_t dims = 0;                    // F
  std::span<const std::int64_t> identities; // [N]
  std::span<const std::int64_t> cameras;    // [N], or empty: a set without cameras
  std::span<const std::int64_t> items =
      {}; // [N], or empty: which image a row shows; read only without cameras

  std::int64_t size() const { return static_cast<std::int64_t>(identities.size()); }
  std::span<const float> row(std::int64_t index) const { return values.subspan(index * dims, dims); }
};

// The smallest length that a row is divided by, as in torch.nn.functional.normalize.
inline constexpr float kNormaliseEpsilon = 1e-12F;

// Divides each row by its length (L2). A row of zeros stays zero. REQUIRES: values.size() is a multiple of
// dims.
void normalise_rows(std::span<float> values, std::int64_t dims);
// The same into `out`. REQUIRES: out.size() == values.size(); no overlap.
void normalise_rows(std::span<const float> values, std::int64_t dims, std::span<float> out);

// A normalised copy, in memory that nobody has cleared first.
class NormalisedRows {
public:
  NormalisedRows(std::span<const float> values, std::int64_t dims);
  std::span<const float> values() const { return {values_.get(), count_}; }

private:
  std::size_t count_;
  std::unique_ptr<float[]> values_;
};

// Sum of squares of every row [N]. Throws ErrorKind::data that names `what` ("query features") and the row
// when a row holds a value that is not finite, or is so long that a distance to it would overflow.
std::vector<float> squared_norms(std::span<const float> values, std::int64_t dims, const std::string& what);

// Rows of a set in the order that products read, so many rows to each part.
struct PackedFeatures {
  std::vector<Panels> parts;
  std::vector<float> norms; // [N] squared length of every row
};

struct PackOptions {
  std::int64_t part_rows = 2048; // a multiple of Panels::kPanelRows
  bool normalise = false;        // divide each row by its length on the way, without a copy of the whole set
};

// Throws as squared_norms().
PackedFeatures pack_features(std::span<const float> values, std::int64_t dims, const std::string& what,
                             const PackOptions& options = {});

// Throws ErrorKind::data unless the labels of two sets fit together: one of each for every row, cameras and
// items in both or none.
void check_feature_labels(const FeatureSet& query, const FeatureSet& gallery);

// check_feature_labels(), and values of the right size with the same F.
void check_feature_sets(const FeatureSet& query, const FeatureSet& gallery);

} // namespace vlreid
