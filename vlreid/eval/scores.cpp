#include "vlreid/eval/scores.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

constexpr int kReportedRanks[] = {1, 5, 10};

double rank_score(const Metrics& metrics, int rank) {
  return metrics.cmc.empty() ? 0 : metrics.cmc[std::min<std::size_t>(rank, metrics.cmc.size()) - 1];
}

Metrics score_once(const LabelledFeatures& features, const EvaluateOptions& options) {
  return evaluate(features.query.view(features.dims), features.gallery.view(features.dims), options);
}

Metrics score_all(const LabelledFeatures& features, const EvaluateOptions& options) {
  if (features.trials.empty()) return score_once(features, options);
  std::vector<Metrics> results;
  for (const Trial& trial : features.trials)
    results.push_back(score_once(select_trial(features, trial), options));
  return average_trials(results);
}

nlohmann::json to_json(const Metrics& metrics, AveragePrecision convention) {
  return {{"mAP", average_precision(metrics, convention)},
          {"mINP", metrics.mean_inverse_negative_penalty},
          {"CMC", metrics.cmc},
          {"counted_queries", metrics.counted_queries},
          {"skipped_queries", metrics.skipped_queries}};
}

std::string table_row(const std::string& name, const Metrics& metrics, AveragePrecision convention) {
  return fmt::format("{:<10} {:>7.2f} {:>7.2f} {:>7.2f} {:>7.2f} {:>7.2f} {:>9} {:>8}\n", name,
                     100 * average_precision(metrics, convention),
                     100 * metrics.mean_inverse_negative_penalty, 100 * rank_score(metrics, 1),
                     100 * rank_score(metrics, 5), 100 * rank_score(metrics, 10), metrics.counted_queries,
                     metrics.skipped_queries);
}

} // namespace

Scores score(const LabelledFeatures& features, const ScoreOptions& options) {
  EvaluateOptions evaluation{.normalise = options.normalise,
                             .per_query = options.list_length > 0,
                             .list_length = options.list_length,
                             .rerank = std::nullopt};
  Scores scores{
      .plain = score_all(features, evaluation), .reranked = std::nullopt, .trials = features.trials.size()};
  if (!options.rerank) return scores;
  evaluation.rerank = options.rerank;
  scores.reranked = score_all(features, evaluation);
  return scores;
}

double average_precision(const Metrics& metrics, AveragePrecision convention) {
  return convention == AveragePrecision::plain ? metrics.mean_average_precision
                                               : metrics.mean_average_precision_trapezoid;
}

std::vector<std::string> log_lines(const Metrics& metrics, AveragePrecision convention) {
  std::vector<std::string> lines{fmt::format("mAP: {:.1f}%", 100 * average_precision(metrics, convention))};
  for (const int rank : kReportedRanks)
    lines.push_back(fmt::format("CMC curve, Rank-{:<3}:{:.1f}%", rank, 100 * rank_score(metrics, rank)));
  return lines;
}

std::string table(const Scores& scores, AveragePrecision convention) {
  std::string text = fmt::format("{:<10} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9} {:>8}\n", "", "mAP", "mINP",
                                 "Rank-1", "Rank-5", "Rank-10", "counted", "skipped");
  text += table_row("plain", scores.plain, convention);
  if (scores.reranked) text += table_row("re-ranked", *scores.reranked, convention);
  if (scores.trials > 0) text += fmt::format("mean of {} trials\n", scores.trials);
  return text;
}

nlohmann::json to_json(const Scores& scores, AveragePrecision convention) {
  nlohmann::json json = to_json(scores.plain, convention);
  json["average_precision"] = convention == AveragePrecision::plain ? "plain" : "trapezoid";
  if (scores.trials > 0) json["trials"] = scores.trials;
  if (scores.reranked) json["reranked"] = to_json(*scores.reranked, convention);
  return json;
}

} // namespace vlreid
