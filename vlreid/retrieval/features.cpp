#include "vlreid/retrieval/features.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "vlreid/base/error.h"
#include "vlreid/retrieval/kernels.h"
#include "vlreid/retrieval/parallel.h"

namespace vlreid {
namespace {

constexpr std::int64_t kRowsPerBlock = 256;
// A squared distance is at most (|q| + |g|)^2 <= 4 * the larger squared length, which must stay a finite
// float.
constexpr float kLargestSquaredNorm = std::numeric_limits<float>::max() / 4;

void for_each_row(std::int64_t rows, const std::function<void(std::int64_t row)>& body) {
  for_each_block((rows + kRowsPerBlock - 1) / kRowsPerBlock, [&](std::int64_t block, int) {
    const std::int64_t end = std::min(rows, (block + 1) * kRowsPerBlock);
    for (std::int64_t row = block * kRowsPerBlock; row < end; ++row)
      body(row);
  });
}

// Divides instead of multiplying: the sizes come from files, and a product could overflow.
bool has_rows(const FeatureSet& set) {
  const auto numbers = static_cast<std::int64_t>(set.values.size());
  if (set.size() == 0) return numbers == 0;
  return numbers % set.dims == 0 && numbers / set.dims == set.size();
}

// What a row is divided by. A length that is not finite makes a row of NaN, which squared_norms() reports
// with its number.
float divisor_of(const float* row, std::int64_t dims) {
  const float length = std::sqrt(dot(row, row, dims));
  if (!std::isfinite(length)) return std::numeric_limits<float>::quiet_NaN();
  return std::max(length, kNormaliseEpsilon);
}

void check_labels(const FeatureSet& set, const std::string& what) {
  const auto rows = static_cast<std::size_t>(set.size());
  VLREID_REQUIRE(set.cameras.empty() || set.cameras.size() == rows, ErrorKind::data, what,
                 std::to_string(set.cameras.size()) + " cameras for " + std::to_string(rows) + " identities",
                 "as many cameras as identities, or none");
  VLREID_REQUIRE(set.items.empty() || set.items.size() == rows, ErrorKind::data, what,
                 std::to_string(set.items.size()) + " items for " + std::to_string(rows) + " identities",
                 "as many items as identities, or none");
}

// An empty set fits to everything, whatever labels it lacks.
bool both_or_none(std::span<const std::int64_t> a, const FeatureSet& a_set, std::span<const std::int64_t> b,
                  const FeatureSet& b_set) {
  return a_set.size() == 0 || b_set.size() == 0 || a.empty() == b.empty();
}

} // namespace

void normalise_rows(std::span<float> values, std::int64_t dims) {
  normalise_rows(values, dims, values);
}

void normalise_rows(std::span<const float> values, std::int64_t dims, std::span<float> out) {
  if (values.empty()) return;
  VLREID_ASSERT(dims > 0 && values.size() % dims == 0 && out.size() == values.size());
  for_each_row(static_cast<std::int64_t>(values.size()) / dims, [&](std::int64_t row) {
    const float* in = values.data() + row * dims;
    divide(in, divisor_of(in, dims), dims, out.data() + row * dims);
  });
}

std::vector<float> squared_norms(std::span<const float> values, std::int64_t dims, const std::string& what) {
  if (values.empty()) return {};
  VLREID_ASSERT(dims > 0 && values.size() % dims == 0);
  std::vector<float> norms(values.size() / dims);
  for_each_row(static_cast<std::int64_t>(norms.size()), [&](std::int64_t row) {
    const float* in = values.data() + row * dims;
    norms[row] = dot(in, in, dims);
  });
  const auto bad =
      std::find_if(norms.begin(), norms.end(), [](float norm) { return !(norm <= kLargestSquaredNorm); });
  VLREID_REQUIRE(bad == norms.end(), ErrorKind::data, what,
                 "row " + std::to_string(bad - norms.begin()) +
                     " holds a value that is not a number or far too large",
                 "finite features", "look at the image or the model that made this row");
  return norms;
}

Panels in_panels(std::span<const float> values, std::int64_t dims) {
  VLREID_ASSERT(dims > 0 && values.size() % dims == 0);
  Panels panels(static_cast<std::int64_t>(values.size()) / dims, dims);
  for_each_row(panels.panels(), [&](std::int64_t panel) { panels.fill(panel, values.data()); });
  return panels;
}

void check_feature_sets(const FeatureSet& query, const FeatureSet& gallery) {
  for (const auto& [set, what] : {std::pair{&query, "query features"}, {&gallery, "gallery features"}}) {
    VLREID_REQUIRE(set->size() == 0 || set->dims > 0, ErrorKind::data, what, "rows of 0 numbers",
                   "at least one number a row");
    VLREID_REQUIRE(has_rows(*set), ErrorKind::data, what,
                   std::to_string(set->values.size()) + " numbers for " + std::to_string(set->size()) +
                       " identities of " + std::to_string(set->dims) + " numbers each",
                   "one row of numbers for each identity");
  }
  VLREID_REQUIRE(query.size() == 0 || gallery.size() == 0 || query.dims == gallery.dims, ErrorKind::data,
                 "features",
                 std::to_string(query.dims) + " numbers a query and " + std::to_string(gallery.dims) +
                     " a gallery image",
                 "features of one model");
  check_feature_labels(query, gallery);
}

void check_feature_labels(const FeatureSet& query, const FeatureSet& gallery) {
  check_labels(query, "query features");
  check_labels(gallery, "gallery features");
  VLREID_REQUIRE(both_or_none(query.cameras, query, gallery.cameras, gallery), ErrorKind::data, "features",
                 "cameras for only one of query and gallery", "cameras for both or for none");
  VLREID_REQUIRE(both_or_none(query.items, query, gallery.items, gallery), ErrorKind::data, "features",
                 "items for only one of query and gallery", "items for both or for none");
}

} // namespace vlreid
