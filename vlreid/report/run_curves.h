// Records of runs -> charts. Internal to the folder; pure.
#pragma once

#include "vlreid/report/chart.h"
#include "vlreid/report/run_summary.h"

#include <span>
#include <vector>

namespace vlreid {

// Scores over epochs, for each dataset: mAP and Rank-1 of one run in one chart, of several runs in one chart
// each.
std::vector<Chart> score_charts(std::span<const RunSummary> runs);

// Loss, accuracy and rate for each stage; the loss of one run with its terms.
std::vector<Chart> training_charts(std::span<const RunSummary> runs);

} // namespace vlreid
