// What a run's page shows of single images: ranked lists, the hardest queries, attention maps. Written by
// training after its last evaluation as `ranked.json` in the run's folder, read again by every later page, so
// that no model is needed then. The file is hostile until read: sizes and numbers are bounded, and pictures
// that it names are only ever decoded.
#pragma once

#include "vlreid/report/ranked_page.h"

#include <filesystem>
#include <string>
#include <vector>

namespace vlreid {

inline constexpr const char* kExamplesFile = "ranked.json";

// Where the class token of the last block looks, over a crop.
struct AttentionMap {
  std::filesystem::path image = {};
  std::string caption = {};
  int height = 0, width = 0;       // patches
  std::vector<float> weights = {}; // [height, width], each >= 0; any scale
};

struct RunExamples {
  std::string dataset = {};
  std::vector<RankedQuery> queries = {}; // a cross-section
  std::vector<RankedQuery> hardest = {}; // lowest average precision first
  std::vector<AttentionMap> attention = {};
};

// Written atomically; paths become absolute.
void save_examples(const std::filesystem::path& path, const RunExamples& examples);
// Anything but such a file is ErrorKind::data.
RunExamples load_examples(const std::filesystem::path& path);

} // namespace vlreid
