#include "vlreid/retrieval/evaluate.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <unordered_map>
#include <utility>

#include "vlreid/base/error.h"
#include "vlreid/retrieval/parallel.h"
#include "vlreid/retrieval/ranking.h"

namespace vlreid {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

using Rows = std::vector<std::int64_t>;
using RowsByLabel = std::unordered_map<std::int64_t, Rows>; // rows ascending

RowsByLabel rows_by_label(std::span<const std::int64_t> labels) {
  RowsByLabel rows;
  for (std::size_t row = 0; row < labels.size(); ++row)
    rows[labels[row]].push_back(static_cast<std::int64_t>(row));
  return rows;
}

std::span<const std::int64_t> rows_with(const RowsByLabel& rows, std::int64_t label) {
  const auto found = rows.find(label);
  return found == rows.end() ? std::span<const std::int64_t>{} : found->second;
}

// Gallery rows that matter for one query, ascending.
struct Relevant {
  Rows matches; // without junk
  Rows junk;
};

// Knows which gallery rows match a query and which are left out.
class Judge {
public:
  Judge(const FeatureSet& query, const FeatureSet& gallery)
      : query_(query), gallery_(gallery), by_identity_(rows_by_label(gallery.identities)),
        has_cameras_(!query.cameras.empty()), has_items_(!has_cameras_ && !query.items.empty()) {
    if (has_items_) by_item_ = rows_by_label(gallery.items);
  }

  Relevant relevant(std::int64_t q) const {
    Relevant result;
    for (const std::int64_t row : rows_with(by_identity_, query_.identities[q])) {
      if (!is_junk(q, row)) result.matches.push_back(row);
    }
    const auto candidates =
        has_items_ ? rows_with(by_item_, query_.items[q]) : rows_with(by_identity_, query_.identities[q]);
    std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(result.junk),
                 [&](std::int64_t row) { return is_junk(q, row); });
    return result;
  }

  bool is_match(std::int64_t q, std::int64_t row) const {
    return gallery_.identities[row] == query_.identities[q];
  }
  bool is_junk(std::int64_t q, std::int64_t row) const {
    if (has_cameras_) return is_match(q, row) && gallery_.cameras[row] == query_.cameras[q];
    return has_items_ && gallery_.items[row] == query_.items[q];
  }

private:
  const FeatureSet& query_;
  const FeatureSet& gallery_;
  RowsByLabel by_identity_;
  RowsByLabel by_item_;
  bool has_cameras_;
  bool has_items_;
};

// From the ranks of the matches (0 is the best), ascending.
void score_ranks(std::span<const std::int64_t> ranks, QueryResult& result) {
  double plain = 0;
  double trapezoid = 0;
  for (std::size_t hit = 0; hit < ranks.size(); ++hit) {
    const auto hits_before = static_cast<double>(hit);
    const auto images_before = static_cast<double>(ranks[hit]);
    const double precision = (hits_before + 1) / (images_before + 1);
    const double precision_before = ranks[hit] == 0 ? 1 : hits_before / images_before;
    plain += precision;
    trapezoid += (precision_before + precision) / 2;
  }
  const auto matches = static_cast<double>(ranks.size());
  result.matches = static_cast<std::int64_t>(ranks.size());
  result.first_hit_rank = ranks.front() + 1;
  result.average_precision = plain / matches;
  result.average_precision_trapezoid = trapezoid / matches;
  result.inverse_negative_penalty = matches / static_cast<double>(ranks.back() + 1);
}

// Scores one query; overwrites the distances of junk.
QueryResult score_query(const Judge& judge, std::int64_t q, std::span<float> distances, int list_length) {
  QueryResult result{.query = q};
  for (const Neighbour& near : top_k(distances, list_length)) {
    result.list.push_back({.index = near.index,
                           .distance = near.distance,
                           .is_match = judge.is_match(q, near.index),
                           .is_junk = judge.is_junk(q, near.index)});
  }
  const Relevant relevant = judge.relevant(q);
  if (relevant.matches.empty()) return result;
  for (const std::int64_t row : relevant.junk)
    distances[row] = kInfinity; // never before a match
  std::vector<std::int64_t> ranks = ranks_of(distances, relevant.matches);
  std::sort(ranks.begin(), ranks.end());
  score_ranks(ranks, result);
  return result;
}

Metrics summarise(std::vector<QueryResult> results, const EvaluateOptions& options) {
  Metrics metrics;
  std::vector<std::int64_t> first_hits(options.max_rank); // queries whose first match has this rank
  for (const QueryResult& result : results) {
    if (result.matches == 0) continue;
    ++metrics.counted_queries;
    metrics.mean_average_precision += result.average_precision;
    metrics.mean_average_precision_trapezoid += result.average_precision_trapezoid;
    metrics.mean_inverse_negative_penalty += result.inverse_negative_penalty;
    if (result.first_hit_rank <= options.max_rank) ++first_hits[result.first_hit_rank - 1];
  }
  metrics.skipped_queries = static_cast<std::int64_t>(results.size()) - metrics.counted_queries;
  const auto counted = static_cast<double>(std::max<std::int64_t>(metrics.counted_queries, 1));
  metrics.mean_average_precision /= counted;
  metrics.mean_average_precision_trapezoid /= counted;
  metrics.mean_inverse_negative_penalty /= counted;
  std::int64_t hits = 0;
  for (const std::int64_t more : first_hits) {
    hits += more;
    metrics.cmc.push_back(static_cast<double>(hits) / counted);
  }
  if (options.per_query) metrics.per_query = std::move(results);
  return metrics;
}

void check_options(const EvaluateOptions& options) {
  VLREID_REQUIRE(options.max_rank >= 1, ErrorKind::usage, "max_rank", std::to_string(options.max_rank),
                 "at least 1");
  VLREID_REQUIRE(options.list_length >= 0, ErrorKind::usage, "list_length",
                 std::to_string(options.list_length), "0 or more");
}

// Queries against an empty gallery get no row, and stay skipped.
std::vector<QueryResult> unscored(std::int64_t queries) {
  std::vector<QueryResult> results(queries);
  for (std::int64_t q = 0; q < queries; ++q)
    results[q].query = q;
  return results;
}

} // namespace

Metrics evaluate(const FeatureSet& query, const FeatureSet& gallery, const EvaluateOptions& options) {
  check_options(options);
  check_feature_sets(query, gallery);
  const Judge judge(query, gallery);
  std::vector<QueryResult> results = unscored(query.size());
  const int list_length = options.per_query ? options.list_length : 0;
  const RowConsumer score = [&](std::int64_t q, std::span<float> distances, int) {
    results[q] = score_query(judge, q, distances, list_length);
  };
  if (!options.rerank) {
    for_each_distance_row(query.values, gallery.values, query.dims, score, {.normalise = options.normalise});
  } else if (options.normalise) {
    for_each_reranked_row(NormalisedRows(query.values, query.dims).values(),
                          NormalisedRows(gallery.values, gallery.dims).values(), query.dims, *options.rerank,
                          score);
  } else {
    for_each_reranked_row(query.values, gallery.values, query.dims, *options.rerank, score);
  }
  return summarise(std::move(results), options);
}

Metrics evaluate_distances(std::span<const float> distances, const FeatureSet& query,
                           const FeatureSet& gallery, const EvaluateOptions& options) {
  check_options(options);
  check_feature_labels(query, gallery);
  const std::int64_t images = gallery.size();
  VLREID_REQUIRE(static_cast<std::int64_t>(distances.size()) == query.size() * images, ErrorKind::data,
                 "distances", std::to_string(distances.size()) + " numbers",
                 std::to_string(query.size()) + " queries x " + std::to_string(images) + " gallery images");
  const Judge judge(query, gallery);
  std::vector<QueryResult> results = unscored(query.size());
  const int list_length = options.per_query ? options.list_length : 0;
  for_each_block(images > 0 ? query.size() : 0, [&](std::int64_t q, int) {
    const auto given = distances.subspan(q * images, images);
    VLREID_REQUIRE(std::all_of(given.begin(), given.end(), [](float value) { return std::isfinite(value); }),
                   ErrorKind::data, "distances",
                   "row " + std::to_string(q) + " holds a value that is not finite", "finite numbers");
    std::vector<float> row(given.begin(), given.end());
    results[q] = score_query(judge, q, row, list_length);
  });
  return summarise(std::move(results), options);
}

Metrics average_trials(std::span<const Metrics> trials) {
  VLREID_REQUIRE(!trials.empty(), ErrorKind::usage, "trials", "none", "at least one");
  const auto count = static_cast<double>(trials.size());
  Metrics mean;
  mean.cmc.resize(trials.front().cmc.size());
  for (const Metrics& trial : trials) {
    VLREID_REQUIRE(trial.cmc.size() == mean.cmc.size(), ErrorKind::usage, "trials",
                   "CMC lengths " + std::to_string(mean.cmc.size()) + " and " +
                       std::to_string(trial.cmc.size()),
                   "one max_rank for all");
    mean.mean_average_precision += trial.mean_average_precision / count;
    mean.mean_average_precision_trapezoid += trial.mean_average_precision_trapezoid / count;
    mean.mean_inverse_negative_penalty += trial.mean_inverse_negative_penalty / count;
    for (std::size_t rank = 0; rank < mean.cmc.size(); ++rank)
      mean.cmc[rank] += trial.cmc[rank] / count;
    mean.counted_queries += trial.counted_queries;
    mean.skipped_queries += trial.skipped_queries;
  }
  return mean;
}

} // namespace vlreid
