#include "vlreid/eval/labelled_features.h"

#include "vlreid/archive/safetensors.h"
#include "vlreid/archive/writers.h"
#include "vlreid/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unordered_map>

namespace vlreid {
namespace {

using ItemNumbers = std::unordered_map<std::string, std::int64_t>;

LabelledSet label(const Subset& subset, bool has_cameras, ItemNumbers& numbers) {
  LabelledSet set;
  for (const Record& record : subset) {
    set.identities.push_back(record.identity);
    set.paths.push_back(record.path);
    if (has_cameras)
      set.cameras.push_back(record.camera);
    else
      set.items.push_back(
          numbers.try_emplace(record.path, static_cast<std::int64_t>(numbers.size())).first->second);
  }
  return set;
}

template <typename Value>
void append_row(std::vector<Value>& to, const std::vector<Value>& from, std::size_t row, std::size_t width) {
  if (from.empty()) return;
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(row * width);
  to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
}

void append_row(LabelledSet& to, const LabelledSet& from, std::size_t row, std::size_t dims) {
  append_row(to.values, from.values, row, dims);
  append_row(to.identities, from.identities, row, 1);
  append_row(to.cameras, from.cameras, row, 1);
  append_row(to.items, from.items, row, 1);
  append_row(to.paths, from.paths, row, 1);
}

std::vector<std::int64_t> read_labels(const SafetensorsFile& file, const std::string& name,
                                      std::size_t rows) {
  const TensorEntry& entry = file.at(name);
  const auto labels = values<std::int64_t>(entry);
  VLREID_REQUIRE(entry.shape == std::vector{static_cast<std::int64_t>(rows)}, ErrorKind::data, file.path(),
                 fmt::format("{} has shape {}", name, shape_text(entry.shape)),
                 fmt::format("[{}], one label a row", rows), "write features and labels together");
  return {labels.begin(), labels.end()};
}

std::vector<std::string> read_paths(const SafetensorsFile& file, const std::string& name, std::size_t rows) {
  const auto found = file.metadata().find(name);
  if (found == file.metadata().end()) return {};
  const auto json = nlohmann::json::parse(found->second, nullptr, false);
  if (!json.is_array() || json.size() != rows) return {};
  std::vector<std::string> paths;
  for (const auto& path : json)
    paths.push_back(path.is_string() ? path.get<std::string>() : std::string());
  return paths;
}

LabelledSet read_set(const SafetensorsFile& file, const std::string& prefix, bool has_cameras,
                     std::int64_t& dims) {
  const TensorEntry& entry = file.at(prefix + "_features");
  VLREID_REQUIRE(entry.shape.size() == 2 && entry.shape[1] > 0, ErrorKind::data, file.path(),
                 fmt::format("{} has shape {}", entry.name, shape_text(entry.shape)), "[rows, features]",
                 "write one row of numbers per image");
  VLREID_REQUIRE(dims == 0 || dims == entry.shape[1], ErrorKind::data, file.path(),
                 fmt::format("{} has {} numbers a row", entry.name, entry.shape[1]),
                 fmt::format("{} as in query_features", dims),
                 "embed queries and gallery with the same weights");
  dims = entry.shape[1];
  const auto rows = static_cast<std::size_t>(entry.shape[0]);
  const auto features = values<float>(entry);
  LabelledSet set;
  set.values.assign(features.begin(), features.end());
  set.identities = read_labels(file, prefix + "_ids", rows);
  if (has_cameras) set.cameras = read_labels(file, prefix + "_cameras", rows);
  set.paths = read_paths(file, prefix + "_paths", rows);
  return set;
}

void describe_set(std::vector<TensorPlan>& specs, const std::string& prefix, const LabelledSet& set,
                  std::int64_t dims) {
  const auto rows = static_cast<std::int64_t>(set.size());
  specs.push_back({.name = prefix + "_features", .dtype = Dtype::float32, .shape = {rows, dims}});
  specs.push_back({.name = prefix + "_ids", .dtype = Dtype::int64, .shape = {rows}});
  if (!set.cameras.empty())
    specs.push_back({.name = prefix + "_cameras", .dtype = Dtype::int64, .shape = {rows}});
}

void write_set(SafetensorsWriter& writer, const LabelledSet& set) {
  writer.append(std::as_bytes(std::span(set.values)));
  writer.append(std::as_bytes(std::span(set.identities)));
  if (!set.cameras.empty()) writer.append(std::as_bytes(std::span(set.cameras)));
}

// Without cameras the query image itself is known by its path; without paths nothing is left out.
void number_items(LabelledFeatures& features) {
  if (features.query.paths.empty() || features.gallery.paths.empty()) return;
  ItemNumbers numbers;
  for (LabelledSet* set : {&features.query, &features.gallery})
    for (const std::string& path : set->paths)
      set->items.push_back(
          numbers.try_emplace(path, static_cast<std::int64_t>(numbers.size())).first->second);
}

} // namespace

LabelledFeatures label_evaluation_lists(const Dataset& dataset) {
  ItemNumbers numbers;
  LabelledFeatures features;
  features.query = label(dataset.query, dataset.has_cameras, numbers);
  features.gallery = label(dataset.gallery, dataset.has_cameras, numbers);
  features.trials = dataset.trials;
  return features;
}

LabelledFeatures select_trial(const LabelledFeatures& features, const Trial& trial) {
  LabelledFeatures selected{.dims = features.dims, .query = {}, .gallery = {}, .trials = {}};
  const auto dims = static_cast<std::size_t>(features.dims);
  const std::size_t queries = features.query.size();
  const auto take = [&](LabelledSet& to, const std::vector<std::size_t>& rows) {
    for (const std::size_t row : rows)
      append_row(to, row < queries ? features.query : features.gallery, row < queries ? row : row - queries,
                 dims);
  };
  take(selected.query, trial.query);
  take(selected.gallery, trial.gallery);
  return selected;
}

LabelledFeatures load_features(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  const bool has_cameras = file.has("query_cameras") || file.has("gallery_cameras");
  LabelledFeatures features;
  features.query = read_set(file, "query", has_cameras, features.dims);
  features.gallery = read_set(file, "gallery", has_cameras, features.dims);
  if (!has_cameras) number_items(features);
  return features;
}

void save_features(const std::filesystem::path& path, const LabelledFeatures& features) {
  std::vector<TensorPlan> specs;
  describe_set(specs, "query", features.query, features.dims);
  describe_set(specs, "gallery", features.gallery, features.dims);
  SafetensorsWriter writer(path, specs,
                           {{"query_paths", nlohmann::json(features.query.paths).dump()},
                            {"gallery_paths", nlohmann::json(features.gallery.paths).dump()}});
  write_set(writer, features.query);
  write_set(writer, features.gallery);
  writer.commit();
}

} // namespace vlreid
