// MSMT17 (spec/datasets.md section 3): four lists in the set's folder, images below a train and a test
// folder. Without lists: Market folders. The labels in the lists are used as they are; those of the test
// lists number other people than those of the train lists.
#include "vlreid/base/strings.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/datasets/market_like.h"
#include "vlreid/datasets/reading.h"

#include <algorithm>
#include <array>
#include <optional>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kListMarkers = {"list_train.txt", "list_query.txt", "list_gallery.txt",
                                               "train", "mask_train_v2"};

struct ImageFolders {
  std::string train, test;
};
// V1 and the release renamed for CLIP-ReID, then V2.
const std::array<ImageFolders, 2> kImageFolders = {{{"train", "test"}, {"mask_train_v2", "mask_test_v2"}}};

ImageFolders image_folders(const fs::path& folder) {
  for (const ImageFolders& folders : kImageFolders)
    if (path_exists(folder / folders.train) || path_exists(folder / folders.test)) return folders;
  return kImageFolders[0];
}

// Third field of the base name: 0000_003_04_0303morning_0008_0.jpg is camera 4.
std::optional<int> camera_of(std::string_view path) {
  const std::vector<std::string> fields = split(path.substr(path.rfind('/') + 1), '_');
  if (fields.size() < 3) return std::nullopt;
  const std::optional<std::int64_t> camera = parse_integer(fields[2]);
  constexpr std::int64_t kLargestCamera = 1'000'000;
  if (!camera || *camera < 1 || *camera > kLargestCamera) return std::nullopt;
  return static_cast<int>(*camera) - 1;
}

class ListReader {
public:
  ListReader(Dataset& dataset, const DatasetOptions& options) : dataset_(dataset), options_(options) {}

  void read(const fs::path& list, const fs::path& images, Subset& out) {
    if (!require_file(dataset_, options_, list)) return;
    std::vector<std::int64_t> labels;
    for_each_line(list, [&](std::string_view line, std::int64_t number) {
      std::optional<Record> record = read_line(line, line_place(list, number), images);
      if (!record) return;
      labels.push_back(record->identity);
      out.push_back(std::move(*record));
    });
    check_labels(list, std::move(labels));
  }

private:
  std::optional<Record> read_line(std::string_view line, const std::string& place, const fs::path& images) {
    const std::size_t blank = line.find_last_of(" \t");
    const std::string_view path = trim(line.substr(0, blank == std::string_view::npos ? 0 : blank));
    const std::optional<std::int64_t> label = parse_integer(line.substr(blank + 1));
    const std::optional<int> camera = camera_of(path);
    if (path.empty() || !label || *label < 0 || !camera) {
      report_problem(dataset_, options_, "list", ErrorKind::data,
                     {.place = place,
                      .found = "'" + std::string(line) + "'",
                      .expected = "a path and a label, as in '0000/0000_000_01_0303morning_0015_0.jpg 0'; "
                                  "the third field of the "
                                  "name is the camera, from 1",
                      .remedy = "take the list of the release"});
      return std::nullopt;
    }
    return Record{.path = (images / path).string(), .identity = *label, .camera = *camera, .view = 0};
  }

  void check_labels(const fs::path& list, std::vector<std::int64_t> labels) {
    std::sort(labels.begin(), labels.end());
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == static_cast<std::int64_t>(i)) continue;
      report_problem(
          dataset_, options_, "list", ErrorKind::data,
          {.place = list.string(),
           .found = "no line with label " + std::to_string(i) + ", but one with " + std::to_string(labels[i]),
           .expected = "labels 0 to n-1 without gaps in each list by itself",
           .remedy = "take the list of the release, or number the labels anew"});
      return;
    }
  }

  Dataset& dataset_;
  const DatasetOptions& options_;
};

void read_lists(Dataset& dataset, const DatasetOptions& options) {
  const fs::path& folder = dataset.root;
  const ImageFolders names = image_folders(folder);
  const fs::path train = folder / names.train, test = folder / names.test;
  require_folder(dataset, options, train);
  require_folder(dataset, options, test);
  ListReader reader(dataset, options);
  reader.read(folder / "list_train.txt", train, dataset.train);
  reader.read(folder / "list_val.txt", train, dataset.train);
  reader.read(folder / "list_query.txt", test, dataset.query);
  reader.read(folder / "list_gallery.txt", test, dataset.gallery);
}

Dataset read_msmt17(std::string_view name, const fs::path& root, const DatasetOptions& options,
                    std::vector<std::string> own_folders) {
  MarketRules rules = market_rules("msmt17", options.system);
  std::vector<std::string> markers = kListMarkers;
  markers.push_back(rules.folders[0]);
  Dataset dataset{.name = std::string(name), .root = find_set_folder(root, own_folders, markers, name)};
  const bool has_lists =
      std::any_of(kListMarkers.begin(), kListMarkers.end(),
                  [&](const std::string& marker) { return path_exists(dataset.root / marker); });
  const bool has_market = path_exists(dataset.root / rules.folders[0]);
  if (has_market && (!has_lists || options.system == ReferenceSystem::ft)) {
    read_market_folders(dataset, dataset.root, rules, options);
    relabel_train(dataset);
  } else {
    read_lists(dataset, options);
  }
  return dataset;
}

} // namespace

Dataset make_msmt17(const fs::path& root, const DatasetOptions& options) {
  if (options.system == ReferenceSystem::mm)
    return read_msmt17("msmt17", root, options, {"MSMT17_V2", "MSMT17", "MSMT17_V1"});
  return read_msmt17("msmt17", root, options, {"MSMT17", "MSMT17_V2", "MSMT17_V1"});
}

Dataset make_msmt17_v1(const fs::path& root, const DatasetOptions& options) {
  return read_msmt17("msmt17_v1", root, options, {"MSMT17_V1", "MSMT17"});
}

} // namespace vlreid
