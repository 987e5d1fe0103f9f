// VeRi-776 (spec/datasets.md section 3): Market-like folders, viewpoints from two lists, and vehicle types
// where the label files are. Images in neither list are left out, and training labels are given afterwards,
// so they have no gaps.
#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/datasets/market_like.h"
#include "vlreid/datasets/reading.h"
#include "vlreid/datasets/veri_types.h"

#include <array>
#include <optional>
#include <unordered_map>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

using Views = std::unordered_map<std::string, int>;

constexpr int kHighestView = 7;

std::string base_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

// In the set's folder, else in datasets/ below the working folder.
fs::path find_view_list(const Dataset& dataset, const DatasetOptions& options, const std::string& name) {
  const fs::path elsewhere = options.working_folder / "datasets" / name;
  return !is_file(dataset.root / name) && is_file(elsewhere) ? elsewhere : dataset.root / name;
}

// Line: path, 40 numbers, view. Only the base name and the view count; the last line of a name wins.
Views read_view_list(Dataset& dataset, const DatasetOptions& options, const fs::path& list) {
  Views views;
  if (!require_file(dataset, options, list)) return views;
  for_each_line(list, [&](std::string_view line, std::int64_t number) {
    const std::string_view path = line.substr(0, line.find_first_of(" \t"));
    const std::optional<std::int64_t> view = parse_integer(line.substr(line.find_last_of(" \t") + 1));
    if (path.size() < line.size() && view && *view >= 0 && *view <= kHighestView) {
      views[base_name(path)] = static_cast<int>(*view);
      return;
    }
    report_problem(dataset, options, "list", ErrorKind::data,
                   {.place = line_place(list, number),
                    .found = "'" + std::string(line.substr(0, 80)) + "'",
                    .expected = "a path, 40 numbers and a view from 0 to 7",
                    .remedy = "take the list of the release"});
  });
  return views;
}

// Sets the view of each record and leaves out those without; returns how many.
std::int64_t apply_views(Subset& subset, const std::array<Views, 2>& lists) {
  const auto has_no_view = [&](Record& record) {
    const std::string name = base_name(record.path);
    for (const Views& views : lists) {
      const auto found = views.find(name);
      if (found == views.end()) continue;
      record.view = found->second;
      return false;
    }
    return true;
  };
  return static_cast<std::int64_t>(std::erase_if(subset, has_no_view));
}

void read_views(Dataset& dataset, const DatasetOptions& options) {
  const fs::path train_list = find_view_list(dataset, options, "keypoint_train.txt");
  const std::array<Views, 2> lists = {
      read_view_list(dataset, options, train_list),
      read_view_list(dataset, options, find_view_list(dataset, options, "keypoint_test.txt"))};
  const auto train_before = static_cast<std::int64_t>(dataset.train.size());
  dataset.left_out = {apply_views(dataset.train, lists), apply_views(dataset.query, lists),
                      apply_views(dataset.gallery, lists)};
  const auto [train, query, gallery] = dataset.left_out;
  if (train + query + gallery > 0)
    dataset.warnings.push_back("left out because neither viewpoint list has them: " + std::to_string(train) +
                               " training, " + std::to_string(query) + " query and " +
                               std::to_string(gallery) + " gallery images");
  // More than half: a list from a broken download, not a few gaps.
  if (2 * train <= train_before) return;
  report_problem(
      dataset, options, "list", ErrorKind::data,
      {.place = train_list.string(),
       .found = std::to_string(train) + " of " + std::to_string(train_before) +
                " training images have no viewpoint",
       .expected = "a line for nearly every training image",
       .remedy = "download keypoint_train.txt again: an empty or cut file makes the training set shrink"});
}

} // namespace

Dataset make_veri(const fs::path& root, const DatasetOptions& options) {
  const MarketRules rules = market_rules("veri", options.system);
  const std::vector<std::string> markers = {rules.folders[0], "name_train.txt"};
  Dataset dataset{.name = "veri", .root = find_set_folder(root, rules.own_folders, markers, "veri")};
  read_market_folders(dataset, dataset.root, rules, options);
  const Subset all_train = dataset.train; // types look at images without a view too
  read_views(dataset, options);
  relabel_train(dataset);
  read_vehicle_types(dataset, all_train, options);
  return dataset;
}

} // namespace vlreid
