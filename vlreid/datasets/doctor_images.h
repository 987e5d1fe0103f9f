// The doctor's look at the images themselves: decodes them on the shared pool and keeps what the rules need.
// Internal to `datasets`.
#pragma once

#include "vlreid/datasets/dataset.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vlreid {

struct ImageFact {
  const Record* record = nullptr;
  int subset = 0; // 0 train, 1 query, 2 gallery
  int height = 0, width = 0;
  bool is_truncated = false;              // the references load it, the missing part grey
  std::string fault = {};                 // what the decoder said; empty: readable
  std::array<std::uint64_t, 2> hash = {}; // of the file's bytes
};

// At most `sample` images when > 0, evenly spread. A path that stands in several subsets is read once per
// subset.
std::vector<ImageFact> examine_images(const Dataset& dataset, std::int64_t sample, bool show_progress);

} // namespace vlreid
