// VehicleID (spec/datasets.md section 3): lists of image names and identities, no cameras. One image of each
// test identity is drawn as the gallery, the others are the queries; the draw is repeated for every trial.
// Each draw depends on (seed, trial, identity) only.
#include "vlreid/base/random.h"
#include "vlreid/base/strings.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/datasets/reading.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kTrainIdentities = 13164;
constexpr std::array<int, 3> kTestSizes = {800, 1600, 2400};
// The reference's constants: queries are camera 0, gallery camera 1, the view is 1.
constexpr int kQueryCamera = 0, kGalleryCamera = 1, kView = 1;

struct Line {
  std::string path;
  std::int64_t identity = 0;
};

std::vector<Line> read_list(Dataset& dataset, const DatasetOptions& options, const fs::path& list) {
  std::vector<Line> lines;
  if (!require_file(dataset, options, list)) return lines;
  const std::string prefix = (dataset.root / "image" / "").string();
  for_each_line(list, [&](std::string_view text, std::int64_t number) {
    const std::vector<std::string_view> fields = split_blanks(text);
    const std::optional<std::int64_t> identity = fields.size() == 2 ? parse_integer(fields[1]) : std::nullopt;
    if (identity) {
      lines.push_back({.path = prefix + std::string(fields[0]) + ".jpg", .identity = *identity});
      return;
    }
    report_problem(dataset, options, "list", ErrorKind::data,
                   {.place = line_place(list, number),
                    .found = "'" + std::string(text) + "'",
                    .expected = "an image name and an identity, as in '0000010 5'",
                    .remedy = "take the list of the release"});
  });
  return lines;
}

void check_count(Dataset& dataset, const DatasetOptions& options, const fs::path& list, std::int64_t found,
                 std::int64_t expected) {
  if (found == expected || !options.vehicleid_check_counts) return;
  report_problem(dataset, options, "list", ErrorKind::data,
                 {.place = list.string(),
                  .found = std::to_string(found) + " identities",
                  .expected = std::to_string(expected),
                  .remedy = "take the list of the release"});
}

void read_train(Dataset& dataset, const DatasetOptions& options, const fs::path& list) {
  std::vector<Line> lines = read_list(dataset, options, list);
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.identity < b.identity; });
  for (Line& line : lines)
    dataset.train.push_back(
        {.path = std::move(line.path), .identity = line.identity, .camera = 0, .view = kView});
  relabel_train(dataset);
  check_count(dataset, options, list, static_cast<std::int64_t>(dataset.train_numbers.size()),
              kTrainIdentities);
}

// The lines of one identity, in list order; identities in the order of their first line.
using Group = std::vector<Line>;

std::vector<Group> group_lines(std::vector<Line> lines) {
  std::vector<Group> groups;
  std::unordered_map<std::int64_t, std::size_t> places;
  for (Line& line : lines) {
    const auto [place, is_new] = places.emplace(line.identity, groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(std::move(line));
  }
  return groups;
}

// Which line of each group is the gallery image.
std::vector<std::size_t> draw(const std::vector<Group>& groups, std::uint64_t seed, int trial) {
  std::vector<std::size_t> chosen;
  for (const Group& group : groups) {
    Random random({seed, static_cast<std::uint64_t>(trial), static_cast<std::uint64_t>(group[0].identity)});
    chosen.push_back(random.below(group.size()));
  }
  return chosen;
}

// Place of every line in the evaluation list that the first draw makes: queries, then gallery.
std::vector<std::vector<std::size_t>> evaluation_places(const std::vector<Group>& groups,
                                                        const std::vector<std::size_t>& first) {
  std::size_t total = 0;
  for (const Group& group : groups)
    total += group.size();
  std::size_t next_query = 0, next_gallery = total - groups.size();
  std::vector<std::vector<std::size_t>> places(groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (std::size_t line = 0; line < groups[g].size(); ++line)
      places[g].push_back(line == first[g] ? next_gallery++ : next_query++);
  return places;
}

Trial make_trial(const std::vector<std::vector<std::size_t>>& places,
                 const std::vector<std::size_t>& chosen) {
  Trial trial;
  for (std::size_t g = 0; g < places.size(); ++g)
    for (std::size_t line = 0; line < places[g].size(); ++line)
      (line == chosen[g] ? trial.gallery : trial.query).push_back(places[g][line]);
  return trial;
}

void fill_first_trial(Dataset& dataset, const std::vector<Group>& groups,
                      const std::vector<std::size_t>& chosen) {
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (std::size_t i = 0; i < groups[g].size(); ++i) {
      const bool is_gallery = i == chosen[g];
      Subset& subset = is_gallery ? dataset.gallery : dataset.query;
      subset.push_back({.path = groups[g][i].path,
                        .identity = groups[g][i].identity,
                        .camera = is_gallery ? kGalleryCamera : kQueryCamera,
                        .view = kView});
    }
}

void read_test(Dataset& dataset, const DatasetOptions& options, const fs::path& list) {
  const std::vector<Group> groups = group_lines(read_list(dataset, options, list));
  check_count(dataset, options, list, static_cast<std::int64_t>(groups.size()), options.vehicleid_test_size);
  const std::vector<std::size_t> first = draw(groups, options.seed, 0);
  fill_first_trial(dataset, groups, first);
  const auto places = evaluation_places(groups, first);
  for (int trial = 0; trial < options.vehicleid_trials; ++trial)
    dataset.trials.push_back(make_trial(places, draw(groups, options.seed, trial)));
}

} // namespace

Dataset make_vehicleid(const fs::path& root, const DatasetOptions& options) {
  const bool is_known_size =
      std::count(kTestSizes.begin(), kTestSizes.end(), options.vehicleid_test_size) == 1;
  VLREID_REQUIRE(is_known_size, ErrorKind::config, "vehicleid",
                 "test size " + std::to_string(options.vehicleid_test_size), "800, 1600 or 2400",
                 "choose one of the three test lists");
  VLREID_REQUIRE(options.vehicleid_trials >= 1, ErrorKind::config, "vehicleid",
                 std::to_string(options.vehicleid_trials) + " trials", "at least 1",
                 "the usual number is 10");
  const std::vector<std::string> own_folders = {"VehicleID_V1.0", "VehicleID"},
                                 markers = {"train_test_split"};
  Dataset dataset{.name = "vehicleid", .root = find_set_folder(root, own_folders, markers, "vehicleid")};
  const fs::path lists = dataset.root / "train_test_split";
  if (!require_folder(dataset, options, lists)) return dataset;
  read_train(dataset, options, lists / "train_list.txt");
  read_test(dataset, options, lists / ("test_list_" + std::to_string(options.vehicleid_test_size) + ".txt"));
  return dataset;
}

} // namespace vlreid
