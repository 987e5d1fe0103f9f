// Scores of a retrieval: CMC, mean average precision and mINP (Ye et al. 2021) over all queries, and on
// demand what a page of ranked lists needs. Behaviour: reference-behaviour, section 8. Gallery images with
// the query's identity and camera are junk: they are left out of the ranking. Without cameras only the query
// image itself (same item) is. Queries without a match are skipped.
//
//     Metrics metrics = evaluate(query, gallery, {.rerank = RerankOptions{}});
//
// Threads inside; bit-equal results for the same number of threads (blocks, and so roundings, follow it).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vlreid/retrieval/features.h"
#include "vlreid/retrieval/rerank.h"

namespace vlreid {

struct EvaluateOptions {
  bool normalise = true; // compare normalised copies; false: the features as they are (normalised already, or
                         // raw on purpose)
  int max_rank = 50;     // length of the CMC
  bool per_query = false;                   // fill Metrics::per_query
  int list_length = 0;                      // entries of QueryResult::list; needs per_query
  std::optional<RerankOptions> rerank = {}; // re-rank first
};

struct RankedImage {
  std::int64_t index = 0; // row of the gallery
  float distance = 0;     // after re-ranking, if there is any
  bool is_match = false;  // the query's identity; may be junk too
  bool is_junk = false;   // left out of the scores
};

struct QueryResult {
  std::int64_t query = 0;          // row of the query set
  std::int64_t matches = 0;        // true matches in the gallery, junk not counted; 0: the query was skipped
  std::int64_t first_hit_rank = 0; // 1 is best; junk not counted
  double average_precision = 0;
  double average_precision_trapezoid = 0;
  double inverse_negative_penalty = 0; // matches / rank of the last match
  std::vector<RankedImage> list = {};  // nearest first, junk included and marked
};

struct Metrics {
  // Mean over hits of the precision at the hit, averaged over queries: the references' mAP.
  double mean_average_precision = 0;
  // The area under the interpolated precision-recall line, as in the Oxford buildings and Market-1501
  // programs.
  double mean_average_precision_trapezoid = 0;
  double mean_inverse_negative_penalty = 0;
  std::vector<double> cmc;          // [max_rank]; cmc[r - 1]: share of queries with a match among the first r
  std::int64_t counted_queries = 0; // all numbers are 0 when there are none
  std::int64_t skipped_queries = 0; // no match in the gallery
  std::vector<QueryResult> per_query = {}; // [Q], in the order of the query set
};

// Throws ErrorKind::data for sets that do not fit together or hold values that are not finite,
// ErrorKind::usage for bad options.
Metrics evaluate(const FeatureSet& query, const FeatureSet& gallery, const EvaluateOptions& options = {});

// The same from distances [Q, G] that exist already; only the labels of the sets are read, `normalise` and
// `rerank` are not.
Metrics evaluate_distances(std::span<const float> distances, const FeatureSet& query,
                           const FeatureSet& gallery, const EvaluateOptions& options = {});

// Plain average of the scores of several trials (VehicleID); queries are summed up, per_query is left empty.
// REQUIRES (else ErrorKind::usage): at least one trial, and CMCs of one length.
Metrics average_trials(std::span<const Metrics> trials);

} // namespace vlreid
