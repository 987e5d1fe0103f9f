#include "vlreid/report/run_summary.h"

#include "vlreid/base/error.h"
#include "vlreid/config/config.h"

#include <algorithm>
#include <set>

namespace vlreid {
namespace {

namespace fs = std::filesystem;

// Where a run's files are is not an option in which it differs from others.
constexpr std::string_view kPlaceKey = "OUTPUT_DIR";

std::map<std::string, std::string> load_options(const fs::path& path) {
  ConfigTrace trace;
  load_config(path, {}, &trace);
  std::map<std::string, std::string> options;
  for (const auto& [key, values] : trace.keys)
    if (!values.empty()) options[key] = values.back().value;
  return options;
}

std::string last_name(const fs::path& folder) {
  return fs::weakly_canonical(folder).filename().string();
}

RunSummary load_run(const fs::path& folder) {
  VLREID_REQUIRE(fs::exists(folder / kMetricsFile), ErrorKind::missing, (folder / kMetricsFile).string(),
                 "not there", "the log of a training run", "name the folder of a run (its OUTPUT_DIR)");
  RunSummary run{.name = last_name(folder)};
  run.records = read_run_log(folder / kMetricsFile);
  if (fs::exists(folder / kTimingFile)) run.timings = read_run_log(folder / kTimingFile);
  if (fs::exists(folder / kConfigFile)) run.options = load_options(folder / kConfigFile);
  if (fs::exists(folder / kExamplesFile)) run.examples = load_examples(folder / kExamplesFile);
  return run;
}

std::string option_of(const RunSummary& run, const std::string& key) {
  const auto found = run.options.find(key);
  return found == run.options.end() ? std::string() : found->second;
}

} // namespace

std::vector<RunSummary> load_runs(std::span<const std::string> folders) {
  std::multiset<std::string> names;
  for (const std::string& folder : folders)
    names.insert(last_name(folder));
  std::vector<RunSummary> runs;
  for (const std::string& folder : folders) {
    runs.push_back(load_run(folder));
    if (names.count(runs.back().name) > 1) runs.back().name = folder;
  }
  return runs;
}

std::vector<RunScores> scores_of(std::span<const RunSummary> runs) {
  std::vector<RunScores> all;
  for (const RunSummary& run : runs) {
    const std::size_t first = all.size();
    for (const RunRecord& record : run.records) {
      if (record.kind != RecordKind::eval) continue;
      const auto known = std::find_if(
          all.begin() + static_cast<std::ptrdiff_t>(first), all.end(), [&](const RunScores& scores) {
            return scores.final.dataset == record.dataset && scores.final.at.stage == record.at.stage;
          });
      if (known == all.end()) {
        all.push_back({.run = run.name, .final = record, .best = record});
        continue;
      }
      known->final = record;
      if (record.value("mAP").value_or(0) > known->best.value("mAP").value_or(0)) known->best = record;
    }
  }
  return all;
}

std::vector<RunSpeed> speeds_of(std::span<const RunSummary> runs) {
  std::vector<RunSpeed> speeds;
  for (const RunSummary& run : runs) {
    struct Sums {
      double seconds = 0, waited = 0;
      int records = 0;
    };
    std::map<int, Sums> stages;
    for (const RunRecord& record : run.timings) {
      Sums& sums = stages[record.at.stage];
      sums.seconds += record.value("time").value_or(0);
      sums.waited += record.value("data").value_or(0);
      ++sums.records;
    }
    for (const auto& [stage, sums] : stages)
      speeds.push_back({.run = run.name,
                        .stage = stage,
                        .seconds_per_batch = sums.seconds / sums.records,
                        .data_share = sums.seconds > 0 ? sums.waited / sums.seconds : 0});
  }
  return speeds;
}

std::vector<OptionDifference> option_differences(std::span<const RunSummary> runs) {
  std::vector<OptionDifference> differences;
  for (const KeyDocument& known : document()) {
    OptionDifference difference{.key = known.key, .default_value = known.default_value, .values = {}};
    for (const RunSummary& run : runs)
      difference.values.push_back(option_of(run, known.key));
    const std::string& alike = runs.size() == 1 ? known.default_value : difference.values.front();
    const bool says_so =
        std::ranges::any_of(difference.values, [](const auto& value) { return !value.empty(); });
    const bool differs =
        std::ranges::any_of(difference.values, [&](const auto& value) { return value != alike; });
    if (says_so && differs && known.key != kPlaceKey) differences.push_back(std::move(difference));
  }
  return differences;
}

} // namespace vlreid
