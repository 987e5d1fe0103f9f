// The doctor behind `check DATASET`: looks for broken rules in a data set and says for each what, how often,
// three examples and the remedy. Findings are values, never exceptions; a set that cannot even be opened
// becomes a finding too (check_dataset). Images are decoded by the shared thread pool; memory does not grow
// with the number of images beyond one hash each.
#pragma once

#include "vlreid/datasets/dataset.h"

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

// error: results would be wrong or a program would stop; warning: results may mislead; note: worth knowing.
enum class Severity { error, warning, note };
std::string_view severity_name(Severity severity);

struct Finding {
  Severity severity = Severity::note;
  std::string rule = {};                  // short and fixed, for scripts: "unreadable-image"
  std::string text = {};                  // what is wrong, one sentence
  std::int64_t count = 0;                 // how often
  std::vector<std::string> examples = {}; // at most three
  std::string remedy = {};
};

struct Report {
  std::string dataset;
  std::filesystem::path root;
  SubsetCounts train = {}, query = {}, gallery = {};
  bool has_cameras = true;
  std::int64_t images_decoded = 0;
  std::vector<Finding> findings = {}; // errors first

  std::int64_t count(Severity severity) const; // findings of this severity
  bool is_sound() const { return count(Severity::error) == 0; }
};

struct DoctorOptions {
  bool decode_images = true;      // also finds duplicates and extreme sizes
  std::int64_t sample_images = 0; // > 0: decode at most so many, spread evenly over the subsets
  bool show_progress = false;     // a progress line on stderr
  int smallest_side = 16;         // pixels; smaller is reported
  int largest_side = 4096;        // pixels; larger is reported
};

Report diagnose(const Dataset& dataset, const DoctorOptions& options = {});

// Opens with keep_going and diagnoses; what stops even that is the finding "layout".
Report check_dataset(std::string_view name, const std::filesystem::path& root,
                     DatasetOptions dataset_options = {}, const DoctorOptions& options = {});

std::string render_text(const Report& report);
nlohmann::json render_json(const Report& report);

} // namespace vlreid
