// The protocols: one query list against one gallery, or the mean of VehicleID's trials; plain and re-ranked.
// reference-behaviour, section 8. And the forms that scores are given in: the references' log lines, JSON, a
// table.
#pragma once

#include "vlreid/eval/labelled_features.h"
#include "vlreid/retrieval/evaluate.h"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace vlreid {

enum class AveragePrecision { plain, trapezoid };

struct ScoreOptions {
  bool normalise = true;
  std::optional<RerankOptions> rerank = {}; // scored besides the plain ranking
  int list_length = 0;                      // ranked lists per query (not with trials)
};

struct Scores {
  Metrics plain;
  std::optional<Metrics> reranked;
  std::size_t trials = 0; // 0: one list
};

Scores score(const LabelledFeatures& features, const ScoreOptions& options);

double average_precision(const Metrics& metrics, AveragePrecision convention);

// "mAP: 89.6%" and "CMC curve, Rank-1  :95.5%" for ranks 1, 5 and 10, as the references print them.
std::vector<std::string> log_lines(const Metrics& metrics, AveragePrecision convention);
std::string table(const Scores& scores, AveragePrecision convention);
nlohmann::json to_json(const Scores& scores, AveragePrecision convention);

} // namespace vlreid
