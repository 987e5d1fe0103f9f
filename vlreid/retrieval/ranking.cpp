#include "vlreid/retrieval/ranking.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "vlreid/base/error.h"
#include "vlreid/retrieval/distances.h"
#include "vlreid/retrieval/kernels.h"
#include "vlreid/retrieval/nearest.h"

namespace vlreid {
namespace {

// Counting costs a pass over the row for every kThresholds targets; beyond this many, sorting the row is
// cheaper.
constexpr std::size_t kMostTargetsToCount = 1024;

// Counts what comes before each of at most kThresholds targets. An entry left of a target comes before it
// when it is not larger, which is the same as smaller than the next number up; an entry right of it when it
// is smaller.
void count_before(std::span<const float> distances, std::span<const std::int64_t> targets,
                  std::int64_t* ranks) {
  float thresholds[kThresholds];
  std::int64_t counts[kThresholds] = {};
  std::fill(std::begin(thresholds), std::end(thresholds), -std::numeric_limits<float>::infinity());
  for (std::size_t t = 0; t < targets.size(); ++t) {
    thresholds[t] = std::nextafter(distances[targets[t]], std::numeric_limits<float>::infinity());
  }
  std::int64_t done = 0;
  for (std::size_t t = 0; t < targets.size(); ++t) {
    count_below(distances.data() + done, targets[t] - done, thresholds, counts);
    thresholds[t] = distances[targets[t]];
    done = targets[t];
  }
  count_below(distances.data() + done, static_cast<std::int64_t>(distances.size()) - done, thresholds,
              counts);
  std::copy_n(counts, targets.size(), ranks);
}

std::vector<std::int64_t> ranks_by_sorting(std::span<const float> distances,
                                           std::span<const std::int64_t> targets) {
  std::vector<RankKey> keys(distances.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    keys[i] = rank_key(distances[i], static_cast<std::uint32_t>(i));
  std::sort(keys.begin(), keys.end());
  std::vector<std::int64_t> ranks;
  ranks.reserve(targets.size());
  for (const std::int64_t target : targets) {
    const RankKey key = rank_key(distances[target], static_cast<std::uint32_t>(target));
    ranks.push_back(std::lower_bound(keys.begin(), keys.end(), key) - keys.begin());
  }
  return ranks;
}

} // namespace

std::vector<Neighbour> top_k(std::span<const float> distances, std::int64_t k) {
  const auto count = static_cast<std::int64_t>(distances.size());
  VLREID_ASSERT(count <= std::numeric_limits<std::uint32_t>::max());
  k = std::clamp<std::int64_t>(k, 0, count);
  if (k == 0) return {};
  std::vector<RankKey> buffer(2 * k + kChunk);
  Nearest nearest(buffer, k);
  for (std::int64_t chunk = 0;
       (chunk = next_chunk_within(distances.data(), chunk, count, nearest.limit())) < count;
       chunk += kChunk) {
    const std::int64_t end = std::min(count, chunk + kChunk);
    for (std::int64_t i = chunk; i < end; ++i) {
      if (distances[i] <= nearest.limit()) nearest.add(distances[i], static_cast<std::uint32_t>(i));
    }
  }
  std::vector<Neighbour> result;
  result.reserve(k);
  for (const RankKey key : nearest.sorted())
    result.push_back({key_index(key), key_distance(key)});
  return result;
}

std::vector<std::vector<Neighbour>> top_k(const FeatureSet& query, const FeatureSet& gallery,
                                          std::int64_t k) {
  check_feature_sets(query, gallery);
  std::vector<std::vector<Neighbour>> result(query.size());
  for_each_distance_row(
      query.values, gallery.values, query.dims,
      [&](std::int64_t q, std::span<float> distances, int) { result[q] = top_k(distances, k); });
  return result;
}

std::vector<std::int64_t> ranks_of(std::span<const float> distances, std::span<const std::int64_t> targets) {
  if (targets.size() > kMostTargetsToCount) return ranks_by_sorting(distances, targets);
  std::vector<std::int64_t> ranks(targets.size());
  for (std::size_t first = 0; first < targets.size(); first += kThresholds) {
    const std::size_t count = std::min<std::size_t>(kThresholds, targets.size() - first);
    count_before(distances, targets.subspan(first, count), ranks.data() + first);
  }
  return ranks;
}

} // namespace vlreid
