// The registry, names, and the recognition of layouts ("auto").
#include "vlreid/base/strings.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/datasets/reading.h"

#include <algorithm>
#include <map>
#include <system_error>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

// A name without what does not matter in it: "Market-1501" -> "market1501".
std::string folded(std::string_view name) {
  std::string text = to_lower_ascii(name);
  std::erase_if(text, [](char c) { return c == '-' || c == '_' || c == ' '; });
  return text;
}

const std::map<std::string, std::string, std::less<>>& spellings() {
  static const auto table = [] {
    std::map<std::string, std::string, std::less<>> names;
#define VLREID_BUILTIN(name, description) names.emplace(folded(#name), #name);
#define VLREID_ALIAS(spelling, name) names.emplace(folded(spelling), #name);
#include "vlreid/datasets/builtin.def"
#undef VLREID_ALIAS
#undef VLREID_BUILTIN
    return names;
  }();
  return table;
}

// The sets that are told by a folder or file of their own, and where that may lie below the root ("" = the
// root itself).
struct Layout {
  const char* set;
  std::vector<std::string> folders;
  std::string marker;
};

const std::vector<Layout>& layouts() {
  static const std::vector<Layout> table = {
      {"veri", {"", "VeRi"}, "image_query"},
      {"vehicleid", {"", "VehicleID_V1.0", "VehicleID"}, "train_test_split"},
      {"msmt17", {"", "MSMT17", "MSMT17_V2", "MSMT17_V1"}, "list_train.txt"},
      {"msmt17_v1", {"MSMT17_V1"}, "bounding_box_train"},
      {"personx", {"", "PersonX_v1", "PersonX"}, "4/bounding_box_train"},
      {"market1501", {"Market-1501-v15.09.15", "Market1501", "Market-1501"}, "bounding_box_train"},
      {"dukemtmc", {"dukemtmcreid/DukeMTMC-reID", "DukeMTMC-reID"}, "bounding_box_train"},
      {"occ_duke", {"dukemtmcreid/Occluded_Duke", "Occluded_Duke"}, "bounding_box_train"},
      {"market", {""}, "bounding_box_train"}, // which of the Market-like sets: market_like_set
  };
  return table;
}

std::vector<std::string> recognised(const fs::path& root) {
  std::vector<std::string> sets;
  for (const Layout& layout : layouts())
    if (std::any_of(layout.folders.begin(), layout.folders.end(),
                    [&](const std::string& folder) { return path_exists(root / folder / layout.marker); }))
      sets.push_back(layout.set);
  return sets;
}

bool has_range_problem(const Dataset& dataset) {
  return std::any_of(dataset.problems.begin(), dataset.problems.end(), [](const DatasetProblem& problem) {
    return problem.rule == "camera-range" || problem.rule == "identity-range";
  });
}

bool contains_ignoring_case(const fs::path& path, std::string_view word) {
  return folded(path.string()).find(word) != std::string::npos;
}

// Market folders in the root itself: the set that the path names, Market-1501 where all numbers fit it, else
// no particular one.
std::string market_like_set(const fs::path& root, DatasetOptions options) {
  std::error_code ignored;
  const fs::path path = fs::weakly_canonical(root, ignored);
  if (contains_ignoring_case(path.filename(), "occluded")) return "occ_duke";
  if (contains_ignoring_case(path.filename(), "duke")) return "dukemtmc";
  options.keep_going = true;
  options.system = ReferenceSystem::none;
  return has_range_problem(make_market1501(root, options)) ? "market_folders" : "market1501";
}

// A folder that holds an image, or folders train, query or gallery.
bool is_folder_per_identity(const fs::path& root) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
    if (!entry.is_directory(error)) continue;
    const std::string name = entry.path().filename().string();
    if (name == "train" || name == "query" || name == "gallery") return true;
    const fs::directory_iterator files(entry.path(), error);
    if (!error && std::any_of(begin(files), end(files), [](const fs::directory_entry& file) {
          return has_image_extension(file.path().filename().string());
        }))
      return true;
  }
  return false;
}

std::string recognise(const fs::path& root, const DatasetOptions& options) {
  VLREID_REQUIRE(path_exists(root), ErrorKind::missing, root.string(), "nothing there",
                 "a data set's folder, or a CSV or JSON list", "check the path");
  if (!is_folder(root)) return "list";
  const std::vector<std::string> sets = recognised(root);
  if (sets.size() == 1) return sets[0] == "market" ? market_like_set(root, options) : sets[0];
  VLREID_REQUIRE(sets.empty(), ErrorKind::data, root.string(), "several data sets: " + join(sets, ", "),
                 "one", "name the one that is meant, or give its own folder");
  if (is_folder_per_identity(root)) return "folders";
  fail(ErrorKind::data,
       {.place = root.string(),
        .found = "no layout that is known",
        .expected =
            "bounding_box_train/, query/ and bounding_box_test/ (Market-1501 and its like); image_train/, "
            "image_query/ and image_test/ (VeRi-776); train_test_split/ (VehicleID); list_train.txt "
            "(MSMT17); one folder of images per identity; or the path of a CSV or JSON list",
        .remedy = "arrange the images so, or write a list with the columns path,identity,camera"});
}

void add_offset(Subset& subset, std::int64_t offset) {
  for (Record& record : subset)
    record.identity += offset;
}

} // namespace

const Registry<DatasetFactory>& dataset_registry() {
  static const auto registry = [] {
    Registry<DatasetFactory> members("dataset");
#define VLREID_BUILTIN(name, description) members.add(#name, make_##name, description);
#define VLREID_ALIAS(spelling, name)
#include "vlreid/datasets/builtin.def"
#undef VLREID_ALIAS
#undef VLREID_BUILTIN
    return members;
  }();
  return registry;
}

std::string canonical_dataset_name(std::string_view name) {
  const auto found = spellings().find(folded(name));
  if (found != spellings().end()) return found->second;
  dataset_registry().at(name); // throws, naming the known ones
  return std::string(name);
}

Dataset open_dataset(std::string_view name, const fs::path& root, const DatasetOptions& options) {
  const std::string set = name == "auto" ? recognise(root, options) : canonical_dataset_name(name);
  Dataset dataset = dataset_registry().at(set)(root, options);
  for (Subset* subset : {&dataset.train, &dataset.query, &dataset.gallery})
    add_offset(*subset, options.identity_offset);
  return dataset;
}

} // namespace vlreid
