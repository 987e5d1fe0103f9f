#include "vlreid/eval/run_record.h"

#include <algorithm>

#include "vlreid/eval/ranked_lists.h"

namespace vlreid {
namespace {

constexpr int kTuningStage = 2; // whose scores an untrained model is compared with
constexpr int kExamples = 12;   // ranked lists of each kind

} // namespace

NamedValues score_values(const Metrics& metrics) {
  const auto rank = [&](std::size_t k) {
    return metrics.cmc.empty() ? 0 : metrics.cmc[std::min(k, metrics.cmc.size()) - 1];
  };
  return {{"mAP", metrics.mean_average_precision},
          {"mINP", metrics.mean_inverse_negative_penalty},
          {"rank1", rank(1)},
          {"rank5", rank(5)},
          {"rank10", rank(10)}};
}

void record_evaluation(const std::filesystem::path& folder, const LabelledFeatures& features,
                       const Scores& scores, const std::string& dataset) {
  std::filesystem::create_directories(folder);
  RunLog log(folder / kMetricsFile, std::nullopt);
  log.write({.kind = RecordKind::eval,
             .at = {.stage = kTuningStage, .epoch = 0},
             .dataset = dataset,
             .values = score_values(scores.plain)});
  if (!scores.plain.per_query.empty() && scores.trials == 0)
    save_examples(folder / kExamplesFile, ranked_examples(features, scores, dataset, kExamples));
}

} // namespace vlreid
