// What the folder of a training run tells about it, without a model: the effective options, the records of
// its logs, and its examples.
#pragma once

#include "vlreid/report/run_examples.h"
#include "vlreid/report/run_log.h"

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

inline constexpr const char* kConfigFile = "config.yaml"; // effective options of a run

struct RunSummary {
  std::string name;
  std::map<std::string, std::string> options = {}; // effective values by full key, as to_yaml prints them
  std::vector<RunRecord> records = {};             // metrics.jsonl
  std::vector<RunRecord> timings = {};             // timing.jsonl
  RunExamples examples = {};
};

// Reads metrics.jsonl, which must be there, and config.yaml, timing.jsonl and ranked.json where they are. A
// run is called as its folder, or by the whole path when two folders have one name.
std::vector<RunSummary> load_runs(std::span<const std::string> folders);

// The last evaluation of a stage of a run on a dataset, and its best by mAP (the first of equals).
struct RunScores {
  std::string run;
  RunRecord final, best;
};
// In the order of the runs, and within a run in the order in which they came.
std::vector<RunScores> scores_of(std::span<const RunSummary> runs);

// Seconds of a stage of a run, from its timing records.
struct RunSpeed {
  std::string run;
  int stage = 0;
  double seconds_per_batch = 0;
  double data_share = 0; // of the time, spent waiting for data; 0..1
};
std::vector<RunSpeed> speeds_of(std::span<const RunSummary> runs);

// A key whose values are not the same in all runs; with one run, not the default. Empty text: the run does
// not say.
struct OptionDifference {
  std::string key, default_value;
  std::vector<std::string> values; // one for each run
};
std::vector<OptionDifference> option_differences(std::span<const RunSummary> runs);

} // namespace vlreid
