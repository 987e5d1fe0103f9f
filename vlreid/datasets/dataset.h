// A folder on disk -> train, query and gallery records: the first arrow of the data flow. Family `datasets`:
// one line per member in builtin.def; rules and numbers in spec/datasets.md, of which the "Do" remarks are
// what is done here. Reading a set touches names and lists only, never the images. Everything is immutable
// after open_dataset, so it may be read from any thread.
//
//     const Dataset market = open_dataset("market1501", "../data");
//     std::puts(banner(market).c_str());
#pragma once

#include "vlreid/base/error.h"
#include "vlreid/base/registry.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

struct Record {
  std::string path; // as on disk: the root as it was given, then the path below it
  // Train: label 0..C-1, ascending with the number in the name. Query and gallery: that number.
  std::int64_t identity = 0;
  int camera = 0; // from 0 where the set says so (IUST, DeSTRe and FT's MSMT17 start at 1)
  int view = 0;

  bool operator==(const Record&) const = default;
};

using Subset = std::vector<Record>;

// One draw of queries and gallery (VehicleID). Numbers are places in the evaluation list, which is query
// followed by gallery: i < query.size() means query[i], others gallery[i - query.size()]. The first trial is
// query and gallery themselves.
struct Trial {
  std::vector<std::size_t> query, gallery;
};

// A rule that the files break, found while reading with DatasetOptions::keep_going.
struct DatasetProblem {
  std::string rule; // "layout", "name", "camera-range", "identity-range", "list"
  Fault fault;
};

struct Dataset {
  std::string name;                // of the registry
  std::filesystem::path root = {}; // the set's own folder (or list file) that was found
  Subset train = {}, query = {}, gallery = {};
  bool has_cameras = true; // false: all cameras are 0, and evaluation leaves out only the query image itself
  std::vector<Trial> trials = {};            // VehicleID only, else empty
  std::vector<std::string> warnings = {};    // one line each
  std::vector<DatasetProblem> problems = {}; // only with keep_going

  std::vector<std::int64_t> train_numbers = {}; // number in the name of each training label
  std::vector<std::string> identity_names = {}; // text of each number, where a user's set names identities
  std::vector<std::string> vehicle_types = {};  // VeRi with label files: of each training label, "" unknown
  std::vector<std::filesystem::path> folders = {}; // listed for images by their names (Market-like sets)
  std::int64_t dropped_junk = 0;                   // images with identity -1
  std::array<std::int64_t, 3> left_out = {};       // VeRi: train, query, gallery images without a viewpoint
};

// Whose variant of a set, where the references differ: name patterns, range checks, camera base and view, and
// which folder below the root is tried first. none: CLIP-ReID with the saner choices of spec/datasets.md; cr
// CLIP-ReID, ft CLIP-ReID-Finetuning and mm Multimodal-ReID: their lists exactly, except where that would
// lose or mix up images.
enum class ReferenceSystem { none, cr, ft, mm };

struct DatasetOptions {
  ReferenceSystem system = ReferenceSystem::none;
  bool keep_going = false;            // collect problems instead of stopping at the first
  int vehicleid_test_size = 800;      // 800, 1600 or 2400
  int vehicleid_trials = 10;          // draws of query and gallery
  std::uint64_t seed = 0;             // of these draws
  bool vehicleid_check_counts = true; // 13164 training identities, test_size test identities
  // VeRi: where datasets/keypoint_*.txt is looked for second. Empty: the current folder.
  std::filesystem::path working_folder = {};
  std::int64_t identity_offset = 0; // added to every identity, for sets that are joined
};

// How many different values occur in a subset, and how many images.
struct SubsetCounts {
  std::int64_t identities = 0, images = 0, cameras = 0, views = 0;
  bool operator==(const SubsetCounts&) const = default;
};
SubsetCounts counts(const Subset& subset);

// Sizes of tables indexed by label, camera and view: largest value + 1, so gaps and a camera base of 1 are
// safe.
struct TableSizes {
  std::int64_t identities = 0, cameras = 0, views = 0;
};
TableSizes table_sizes(const Subset& train);

// A table with identities, images and cameras of each subset, as the references print it.
std::string banner(const Dataset& dataset);

using DatasetFactory =
    std::function<Dataset(const std::filesystem::path& root, const DatasetOptions& options)>;
const Registry<DatasetFactory>& dataset_registry();

#define VLREID_BUILTIN(name, description)                                                                    \
  Dataset make_##name(const std::filesystem::path& root, const DatasetOptions& options);
#define VLREID_ALIAS(spelling, name)
#include "vlreid/datasets/builtin.def"
#undef VLREID_ALIAS
#undef VLREID_BUILTIN

// The registry's name for any spelling ("Market-1501", "VehicleID"); an unknown name is an error with the
// nearest one.
std::string canonical_dataset_name(std::string_view name);

// Reads the set `name` below `root` (or in it). "auto" recognises the layout: a CSV or JSON file, the sets'
// own folders, one folder per identity. Throws Error: config (name), missing (folder, list), data (what is in
// them), with the file in its place.
Dataset open_dataset(std::string_view name, const std::filesystem::path& root,
                     const DatasetOptions& options = {});

} // namespace vlreid
