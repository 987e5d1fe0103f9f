#include "vlreid/report/run_curves.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace vlreid {
namespace {

// The iteration is a part of its epoch; how many an epoch has follows from the records.
int iterations_per_epoch(const RunSummary& run, int stage) {
  int most = 1;
  for (const RunRecord& record : run.records)
    if (record.kind == RecordKind::train && record.at.stage == stage && record.at.iteration != kEndOfEpoch)
      most = std::max(most, record.at.iteration);
  return most;
}

double epochs_done(const RunPosition& at, int iterations) {
  return at.iteration == kEndOfEpoch ? at.epoch
                                     : at.epoch - 1 + static_cast<double>(at.iteration) / iterations;
}

struct Selection {
  RecordKind kind;
  int stage;
  std::string dataset = {};

  bool has(const RunRecord& record) const {
    return record.kind == kind && record.at.stage == stage && record.dataset == dataset;
  }
};

Series curve(const RunSummary& run, const Selection& selection, std::string_view value, std::string name) {
  Series series{.name = std::move(name), .points = {}};
  const int iterations = iterations_per_epoch(run, selection.stage);
  for (const RunRecord& record : run.records)
    if (selection.has(record))
      if (const auto y = record.value(value))
        series.points.push_back({epochs_done(record.at, iterations), *y});
  return series;
}

std::vector<Series> curves(std::span<const RunSummary> runs, const Selection& selection,
                           std::string_view value) {
  std::vector<Series> series;
  for (const RunSummary& run : runs)
    series.push_back(curve(run, selection, value, run.name));
  return series;
}

std::set<int> stages_of(std::span<const RunSummary> runs) {
  std::set<int> stages;
  for (const RunSummary& run : runs)
    for (const RunRecord& record : run.records)
      if (record.kind == RecordKind::train) stages.insert(record.at.stage);
  return stages;
}

std::vector<std::string> loss_terms(const RunSummary& run, const Selection& selection) {
  std::vector<std::string> terms;
  for (const RunRecord& record : run.records)
    if (selection.has(record))
      for (const auto& [name, value] : record.values)
        if (name != "loss" && name != "accuracy" && name != "rate" &&
            std::ranges::find(terms, name) == terms.end())
          terms.push_back(name);
  return terms;
}

// Epochs as a name of the axis do for stages too: each counts its own.
Chart loss_chart(std::span<const RunSummary> runs, const Selection& selection) {
  Chart chart{.title = fmt::format("Loss, stage {}", selection.stage)};
  chart.series = curves(runs, selection, "loss");
  if (runs.size() > 1) return chart;
  chart.series.front().name = "loss";
  const std::vector<std::string> terms = loss_terms(runs.front(), selection);
  if (terms.size() > 1)
    for (const std::string& term : terms)
      chart.series.push_back(curve(runs.front(), selection, term, term));
  return chart;
}

} // namespace

std::vector<Chart> score_charts(std::span<const RunSummary> runs) {
  std::set<std::pair<int, std::string>> kinds;
  for (const RunScores& scores : scores_of(runs))
    kinds.emplace(scores.final.at.stage, scores.final.dataset);
  std::vector<Chart> charts;
  for (const auto& [stage, dataset] : kinds) {
    const Selection selection{.kind = RecordKind::eval, .stage = stage, .dataset = dataset};
    const std::string where = fmt::format("{}{}stage {}", dataset, dataset.empty() ? "" : ", ", stage);
    Chart map{.title = "mAP, " + where, .is_percent = true, .has_dots = true};
    Chart rank1{.title = "Rank-1, " + where, .is_percent = true, .has_dots = true};
    map.series = curves(runs, selection, "mAP");
    rank1.series = curves(runs, selection, "rank1");
    if (runs.size() == 1) {
      map.title = "mAP and Rank-1, " + where;
      map.series.front().name = "mAP";
      rank1.series.front().name = "Rank-1";
      map.series.push_back(std::move(rank1.series.front()));
      charts.push_back(std::move(map));
    } else {
      charts.push_back(std::move(map));
      charts.push_back(std::move(rank1));
    }
  }
  return charts;
}

std::vector<Chart> training_charts(std::span<const RunSummary> runs) {
  std::vector<Chart> charts;
  for (const int stage : stages_of(runs)) {
    const Selection selection{.kind = RecordKind::train, .stage = stage};
    charts.push_back(loss_chart(runs, selection));
    charts.push_back({.title = fmt::format("Accuracy, stage {}", stage),
                      .series = curves(runs, selection, "accuracy"),
                      .is_percent = true});
    charts.push_back(
        {.title = fmt::format("Learning rate, stage {}", stage), .series = curves(runs, selection, "rate")});
  }
  return charts;
}

} // namespace vlreid
