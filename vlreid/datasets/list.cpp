// Users' own lists, CSV (header required) or JSON (an array of objects): path, identity, camera[, view,
// split]. Paths are relative to the list's folder. Camera "none" or no camera column: a set without cameras.
#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"
#include "vlreid/datasets/csv.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/datasets/json_rows.h"
#include "vlreid/datasets/reading.h"
#include "vlreid/datasets/user_sets.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 5> kColumns = {"path", "identity", "camera", "view", "split"};
enum Column : std::size_t { kPath, kIdentity, kCamera, kView, kSplit };
constexpr std::int64_t kHighestNumber =
    65535; // of cameras and views: tables are as long as the highest number

// Where a row stands; asked only for messages.
using Place = std::function<std::string()>;

// Turns rows of text into records; the same for CSV and JSON. An absent value is "".
class RowReader {
public:
  RowReader(Dataset& dataset, const DatasetOptions& options, const fs::path& list)
      : dataset_(dataset), options_(options), prefix_((list.parent_path() / "").string()) {}

  void read(const std::array<std::string_view, 5>& values, const Place& place) {
    const std::optional<Split> split = parse_split(values[kSplit]);
    const std::optional<int> view = values[kView].empty() ? 0 : parse_number(values[kView]);
    const std::optional<int> camera = is_none(values[kCamera]) ? 0 : parse_number(values[kCamera]);
    if (values[kPath].empty()) return report(place, "no path", "the path of an image");
    if (values[kIdentity].empty()) return report(place, "no identity", "a number or a name");
    if (!camera)
      return report(place, "camera '" + std::string(values[kCamera]) + "'",
                    "a number from 0 to 65535, or none");
    if (!view) return report(place, "view '" + std::string(values[kView]) + "'", "a number from 0 to 65535");
    if (!split)
      return report(place, "split '" + std::string(values[kSplit]) + "'", "train, query or gallery");
    if (!count_cameras(values[kCamera], place)) return;
    const bool is_absolute = values[kPath].starts_with('/');
    builder_.add((is_absolute ? "" : prefix_) + std::string(values[kPath]), values[kIdentity], *camera, *view,
                 *split);
  }

  void finish(const fs::path& list) {
    if (builder_.size() == 0)
      report_problem(dataset_, options_, "list", ErrorKind::data,
                     {.place = list.string(),
                      .found = "no rows",
                      .expected = "one row per image",
                      .remedy = "fill the list"});
    dataset_.has_cameras = has_numbered_camera_;
    builder_.build_into(dataset_);
  }

private:
  static bool is_none(std::string_view camera) { return camera.empty() || to_lower_ascii(camera) == "none"; }

  static std::optional<int> parse_number(std::string_view text) {
    const std::optional<std::int64_t> number = parse_integer(text);
    if (!number || *number < 0 || *number > kHighestNumber) return std::nullopt;
    return static_cast<int>(*number);
  }

  // All rows have a camera, or none has.
  bool count_cameras(std::string_view camera, const Place& place) {
    (is_none(camera) ? has_row_without_camera_ : has_numbered_camera_) = true;
    if (!has_row_without_camera_ || !has_numbered_camera_) return true;
    report(place, is_none(camera) ? "no camera" : "camera " + std::string(camera),
           "a camera in every row, or in none");
    return false;
  }

  void report(const Place& place, std::string found, std::string expected) {
    report_problem(dataset_, options_, "list", ErrorKind::data,
                   {.place = place(),
                    .found = std::move(found),
                    .expected = std::move(expected),
                    .remedy = "correct this row"});
  }

  Dataset& dataset_;
  const DatasetOptions& options_;
  std::string prefix_;
  UserSetBuilder builder_;
  bool has_numbered_camera_ = false, has_row_without_camera_ = false;
};

// Place of each of our columns in the header, or nothing.
using Places = std::array<std::optional<std::size_t>, 5>;

Places read_header(CsvReader& csv, const std::vector<std::string_view>& header) {
  Places places;
  for (std::size_t i = 0; i < header.size(); ++i)
    for (std::size_t column = 0; column < kColumns.size(); ++column) {
      if (to_lower_ascii(trim(header[i])) != kColumns[column]) continue;
      VLREID_REQUIRE(!places[column], ErrorKind::data, csv.where(),
                     "column '" + std::string(kColumns[column]) + "' twice", "once", "rename or remove one");
      places[column] = i;
    }
  std::vector<std::string> names;
  for (const std::string_view name : header)
    names.emplace_back(name);
  const bool has_other_separator =
      header.size() == 1 && header[0].find_first_of(";\t") != std::string_view::npos;
  for (const Column column : {kPath, kIdentity})
    VLREID_REQUIRE(
        places[column], ErrorKind::data, csv.where(),
        "no column '" + std::string(kColumns[column]) + "' in the header '" + join(names, ",") + "'",
        "a first line like path,identity,camera,view,split (camera, view and split may be absent)",
        has_other_separator ? "separate the fields with commas" : "add the header or rename the column");
  return places;
}

void read_csv(RowReader& rows, const fs::path& list, Dataset& dataset, const DatasetOptions& options) {
  const MappedFile mapped(list);
  CsvReader csv({reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()}, list.string());
  std::vector<std::string_view> fields;
  VLREID_REQUIRE(csv.next(fields), ErrorKind::data, list.string(), "an empty file",
                 "a first line like path,identity,camera,view,split", "write the list");
  const Places places = read_header(csv, fields);
  const std::size_t width = fields.size();
  while (csv.next(fields)) {
    if (fields.size() != width) {
      report_problem(dataset, options, "list", ErrorKind::data,
                     {.place = csv.where(),
                      .found = std::to_string(fields.size()) + " fields",
                      .expected = std::to_string(width) + " as in the header",
                      .remedy = "put fields that hold a comma in quotes"});
      continue;
    }
    std::array<std::string_view, 5> values;
    for (std::size_t column = 0; column < values.size(); ++column)
      if (places[column]) values[column] = trim(fields[*places[column]]);
    rows.read(values, [&csv] { return csv.where(); });
  }
}

void read_json(RowReader& rows, const fs::path& list) {
  const MappedFile mapped(list);
  const std::string_view text(reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size());
  for_each_json_row(text, list.string(), kColumns,
                    [&](std::span<const std::string> values, std::int64_t element) {
                      rows.read({values[0], values[1], values[2], values[3], values[4]},
                                [&] { return list.string() + "[" + std::to_string(element) + "]"; });
                    });
}

} // namespace

Dataset make_list(const fs::path& root, const DatasetOptions& options) {
  VLREID_REQUIRE(is_file(root), ErrorKind::missing, root.string(),
                 path_exists(root) ? "a folder, not a file" : "the file is not there", "a CSV or JSON list",
                 "give the path of the list itself");
  Dataset dataset{.name = "list", .root = root};
  RowReader rows(dataset, options, root);
  if (to_lower_ascii(root.extension().string()) == ".json")
    read_json(rows, root);
  else
    read_csv(rows, root, dataset, options);
  rows.finish(root);
  return dataset;
}

} // namespace vlreid
