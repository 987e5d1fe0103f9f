// report.html: one or several training runs side by side, from the files of their folders alone. Final and
// best scores, curves of loss, accuracy and rate for each stage, scores over epochs, the options in which the
// runs differ, ranked lists, hardest queries, attention maps. One HTML file that holds everything; see
// html.h. The same files give the same bytes.
#pragma once

#include "vlreid/report/html.h"
#include "vlreid/report/run_summary.h"

#include <filesystem>
#include <span>
#include <string>

namespace vlreid {

inline constexpr const char* kRunPageFile = "report.html";

// Final and best scores in percent, one row for each run (and dataset and stage, where there are several).
Table scores_table(std::span<const RunSummary> runs);

std::string run_page(std::span<const RunSummary> runs);
// Written atomically.
void write_run_page(const std::filesystem::path& path, std::span<const RunSummary> runs);

} // namespace vlreid
