// Scores + labelled features -> a page that shows what the system sees: the hardest and some other queries
// with their ranked lists.
#pragma once

#include "vlreid/eval/scores.h"
#include "vlreid/report/run_examples.h"

#include <filesystem>
#include <string>

namespace vlreid {

inline constexpr int kPageListLength = 10; // images in a ranked list

struct RankedListsOptions {
  std::string title = {};
  std::string note = {}; // a sentence below the title, may be empty
  AveragePrecision convention = AveragePrecision::plain;
  int queries = 24; // shown: half of them the hardest, the others spread evenly
};

// REQUIRES: scores made with list_length = kPageListLength, and features with paths (else a data error).
void write_ranked_lists(const std::filesystem::path& path, const LabelledFeatures& features,
                        const Scores& scores, const RankedListsOptions& options);

// The same for the page of a training run: `queries` queries spread evenly, and as many of the hardest.
// REQUIRES as above; without attention maps.
RunExamples ranked_examples(const LabelledFeatures& features, const Scores& scores,
                            const std::string& dataset, int queries);

} // namespace vlreid
