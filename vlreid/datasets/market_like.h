// The reader behind every set whose images lie in three folders and carry identity and camera in their names.
// A set is a row of MarketRules, not code. Internal to `datasets`.
#pragma once

#include "vlreid/datasets/dataset.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

// What follows "_c" in a name. The references' patterns are searched from the left, first match.
enum class CameraPattern { one_digit, digits, digits_and_hyphens };

struct MarketRules {
  CameraPattern camera = CameraPattern::digits;
  bool has_sequence = false;          // "s" and one digit must follow; view = sequence - 1
  int lowest_camera = 0;              // as in the name; with highest_camera < lowest_camera: no check
  int highest_camera = -1;            //
  int camera_base = 1;                // subtracted
  std::int64_t highest_identity = -1; // < 0: no check of 0..highest
  int view = 0;                       // where no sequence is read
  std::array<std::string, 3> folders = {"bounding_box_train", "query", "bounding_box_test"};
  std::vector<std::string> parts = {""};     // joined in this order; "" = the set's folder itself
  std::vector<std::string> own_folders = {}; // of the set, below the root
};

// The row of a set for a reference's variant. REQUIRES: a set in the table.
MarketRules market_rules(std::string_view set, ReferenceSystem system);

// Reads the three folders below `folder`. Train still carries the numbers of the names: relabel_train comes
// after.
void read_market_folders(Dataset& dataset, const std::filesystem::path& folder, const MarketRules& rules,
                         const DatasetOptions& options);
// All of it: finds the folder, reads, relabels.
Dataset read_market_set(std::string_view set, const std::filesystem::path& root, const MarketRules& rules,
                        const DatasetOptions& options);

} // namespace vlreid
