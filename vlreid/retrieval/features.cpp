#include "vlreid/retrieval/features.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "vlreid/base/error.h"
#include "vlreid/base/memory.h"
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

void normalise_row(const float* row, std::int64_t dims, float* out) {
  divide(row, divisor_of(row, dims), dims, out);
}

void check_squared_norms(const std::vector<float>& norms, const std::string& what) {
  const auto bad =
      std::find_if(norms.begin(), norms.end(), [](float norm) { return !(norm <= kLargestSquaredNorm); });
  VLREID_REQUIRE(bad == norms.end(), ErrorKind::data, what,
                 "row " + std::to_string(bad - norms.begin()) +
                     " holds a value that is not a number or far too large",
                 "finite features", "look at the image or the model that made this row");
}

// Room for `rows` rows in parts.
std::vector<Panels> empty_parts(std::int64_t rows, std::int64_t dims, std::int64_t part_rows) {
  std::vector<Panels> parts;
  parts.reserve((rows + part_rows - 1) / part_rows);
  for (std::int64_t first = 0; first < rows; first += part_rows) {
    const Panels& part = parts.emplace_back(std::min(part_rows, rows - first), dims);
    prefer_huge_pages(part.panel(0), part.panels() * dims * Panels::kPanelRows * sizeof(float));
  }
  return parts;
}

// Packs rows and their squared lengths; through `copy` [part.rows(), dims], normalised, where there is one.
void fill_part(Panels& part, const float* rows, float* copy, float* norms) {
  const std::int64_t dims = part.dims();
  for (std::int64_t panel = 0; panel < part.panels(); ++panel) {
    const std::int64_t end = std::min(part.rows(), (panel + 1) * Panels::kPanelRows);
    for (std::int64_t row = panel * Panels::kPanelRows; row < end; ++row) {
      if (copy != nullptr) normalise_row(rows + row * dims, dims, copy + row * dims);
      const float* packed = (copy != nullptr ? copy : rows) + row * dims;
      norms[row] = dot(packed, packed, dims);
    }
    part.fill(panel, copy != nullptr ? copy : rows);
  }
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
    normalise_row(values.data() + row * dims, dims, out.data() + row * dims);
  });
}

NormalisedRows::NormalisedRows(std::span<const float> values, std::int64_t dims)
    : count_(values.size()), values_(std::make_unique_for_overwrite<float[]>(count_)) {
  prefer_huge_pages(values_.get(), count_ * sizeof(float));
  normalise_rows(values, dims, {values_.get(), count_});
}

std::vector<float> squared_norms(std::span<const float> values, std::int64_t dims, const std::string& what) {
  if (values.empty()) return {};
  VLREID_ASSERT(dims > 0 && values.size() % dims == 0);
  std::vector<float> norms(values.size() / dims);
  for_each_row(static_cast<std::int64_t>(norms.size()), [&](std::int64_t row) {
    const float* in = values.data() + row * dims;
    norms[row] = dot(in, in, dims);
  });
  check_squared_norms(norms, what);
  return norms;
}

PackedFeatures pack_features(std::span<const float> values, std::int64_t dims, const std::string& what,
                             const PackOptions& options) {
  if (values.empty()) return {};
  VLREID_ASSERT(dims > 0 && values.size() % dims == 0 && options.part_rows % Panels::kPanelRows == 0);
  const auto rows = static_cast<std::int64_t>(values.size()) / dims;
  PackedFeatures packed{empty_parts(rows, dims, options.part_rows), std::vector<float>(rows)};
  std::vector<std::unique_ptr<float[]>> copies(worker_count()); // [part_rows, dims], used when normalising
  for_each_block(static_cast<std::int64_t>(packed.parts.size()), [&](std::int64_t number, int worker) {
    if (options.normalise && !copies[worker])
      copies[worker] = std::make_unique_for_overwrite<float[]>(std::min(rows, options.part_rows) * dims);
    const std::int64_t first = number * options.part_rows;
    fill_part(packed.parts[number], values.data() + first * dims, copies[worker].get(),
              packed.norms.data() + first);
  });
  check_squared_norms(packed.norms, what);
  return packed;
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
