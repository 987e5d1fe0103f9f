// report.html: one or several training runs side by side, from the files of their folders alone. Curves of
// loss, accuracy and rate per stage, scores over epochs, a table of final and best scores, the options in
// which the runs differ, ranked lists, hardest queries, attention maps. One HTML file that holds everything;
// see html.h.
#pragma once

#include "vlreid/report/html.h"
#include "vlreid/report/run_examples.h"
#include "vlreid/report/run_log.h"

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

inline constexpr const char* kConfigFile = "config.yaml"; // effective options of a run
inline constexpr const char* kRunPageFile = "report.html";

struct RunSummary {
  std::string name;
  std::map<std::string, std::string> options = {}; // effective values by full key
  std::vector<RunRecord> records = {};             // metrics.jsonl
  std::vector<RunRecord> timings = {};             // timing.jsonl
  RunExamples examples = {};
};

// Reads metrics.jsonl, which must be there, and config.yaml, timing.jsonl and ranked.json where they are.
RunSummary load_run(const std::filesystem::path& folder);

// The last evaluation of a run on a dataset, and its best by mAP.
struct RunScores {
  std::string run, dataset;
  RunRecord final, best;
};
std::vector<RunScores> scores_of(std::span<const RunSummary> runs);

std::string run_page(std::span<const RunSummary> runs);
// Written atomically.
void write_run_page(const std::filesystem::path& path, std::span<const RunSummary> runs);

} // namespace vlreid
