// Ranking of one row of distances. Order everywhere: smaller distance first, among equal distances the
// smaller gallery index (a stable sort). Plain functions without state; safe to call from several threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vlreid/retrieval/features.h"

namespace vlreid {

struct Neighbour {
  std::int64_t index = 0; // row of the gallery
  float distance = 0;
};

// The k nearest of a row, nearest first; all of them when the row is shorter. NaN counts as farther than
// everything.
std::vector<Neighbour> top_k(std::span<const float> distances, std::int64_t k);

// The k nearest gallery rows of every query: [Q][min(k, G)]. Streams like for_each_distance_row; the labels
// are not read.
std::vector<std::vector<Neighbour>> top_k(const FeatureSet& query, const FeatureSet& gallery, std::int64_t k);

// For each of `targets` (indices into `distances`, ascending, no duplicates) the number of entries that come
// before it in the ranking, in time proportional to distances.size() * targets.size() / SIMD width: no sort
// of the row. REQUIRES: no NaN.
std::vector<std::int64_t> ranks_of(std::span<const float> distances, std::span<const std::int64_t> targets);

} // namespace vlreid
