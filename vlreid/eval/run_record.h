// Scores as the records that training runs keep, so that an evaluation can stand beside them in a report.
#pragma once

#include "vlreid/eval/scores.h"
#include "vlreid/report/run_log.h"

#include <filesystem>
#include <string>

namespace vlreid {

// "mAP", "mINP", "rank1", "rank5", "rank10", all 0..1.
NamedValues score_values(const Metrics& metrics);

// Makes a folder that `vlreid report` takes like a run's: the scores as an evaluation before the first epoch,
// and, where the scores have lists (list_length = kPageListLength), examples.
void record_evaluation(const std::filesystem::path& folder, const LabelledFeatures& features,
                       const Scores& scores, const std::string& dataset);

} // namespace vlreid
