#include "vlreid/report/run_examples.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::uint64_t kMaxFileBytes = 32u << 20;
constexpr std::size_t kMaxItems = 64;       // queries, results of one, attention maps
constexpr std::size_t kMaxTextBytes = 8192; // paths and captions
constexpr int kMaxGridSide = 256;           // patches

Json result_json(const RankedResult& result) {
  return {{"image", std::filesystem::absolute(result.path).string()},
          {"distance", result.distance},
          {"match", result.is_match},
          {"same_camera", result.is_same_camera}};
}

template <typename Item>
Json list_json(const std::vector<Item>& items, Json (*item_json)(const Item&)) {
  Json list = Json::array();
  for (const Item& item : items)
    list.push_back(item_json(item));
  return list;
}

Json query_json(const RankedQuery& query) {
  return {{"image", std::filesystem::absolute(query.image).string()},
          {"caption", query.caption},
          {"ap", query.ap},
          {"results", list_json(query.results, result_json)}};
}

Json map_json(const AttentionMap& map) {
  return {{"image", std::filesystem::absolute(map.image).string()},
          {"caption", map.caption},
          {"height", map.height},
          {"width", map.width},
          {"weights", map.weights}};
}

// A value of the file with the words that lead to it.
class Value {
public:
  Value(const Json& json, std::string place) : json_(json), place_(std::move(place)) {}

  [[noreturn]] void refuse(const std::string& expected) const {
    fail(ErrorKind::data, {.place = place_,
                           .found = "not what vlreid wrote",
                           .expected = expected,
                           .remedy = "remove the file to do without it"});
  }

  Value at(const char* name) const {
    if (!json_.is_object() || !json_.contains(name)) refuse(fmt::format("a value '{}'", name));
    return {json_.at(name), fmt::format("{}: {}", place_, name)};
  }

  std::string text() const {
    if (!json_.is_string() || json_.get_ref<const std::string&>().size() > kMaxTextBytes)
      refuse(fmt::format("a text of at most {} bytes", kMaxTextBytes));
    return json_.get<std::string>();
  }

  // The path of a picture; none holds a zero byte.
  std::filesystem::path path() const {
    std::string name = text();
    if (name.find('\0') != std::string::npos) refuse("a path");
    return name;
  }

  double number(double low, double high) const {
    const double number = json_.is_number() ? json_.get<double>() : std::nan("");
    if (!(number >= low && number <= high)) refuse(fmt::format("a number from {} to {}", low, high));
    return number;
  }

  int whole(int low, int high) const {
    if (!json_.is_number_integer()) refuse("a whole number");
    return static_cast<int>(number(low, high));
  }

  bool flag() const {
    if (!json_.is_boolean()) refuse("true or false");
    return json_.get<bool>();
  }

  template <typename Read>
  auto list(std::size_t most, const Read& read) const {
    if (!json_.is_array() || json_.size() > most) refuse(fmt::format("a list of at most {}", most));
    std::vector<decltype(read(*this))> items;
    for (std::size_t i = 0; i < json_.size(); ++i)
      items.push_back(read(Value(json_[i], fmt::format("{}[{}]", place_, i))));
    return items;
  }

private:
  const Json& json_;
  std::string place_;
};

constexpr double kLargest = 1e30; // of distances and weights: finite as a float

RankedResult read_result(const Value& value) {
  return {.path = value.at("image").path(),
          .distance = value.at("distance").number(-kLargest, kLargest),
          .is_match = value.at("match").flag(),
          .is_same_camera = value.at("same_camera").flag()};
}

RankedQuery read_query(const Value& value) {
  return {.image = value.at("image").path(),
          .caption = value.at("caption").text(),
          .results = value.at("results").list(kMaxItems, read_result),
          .ap = value.at("ap").number(0, 1)};
}

float read_weight(const Value& value) {
  return static_cast<float>(value.number(0, kLargest));
}

AttentionMap read_map(const Value& value) {
  AttentionMap map{.image = value.at("image").path(),
                   .caption = value.at("caption").text(),
                   .height = value.at("height").whole(1, kMaxGridSide),
                   .width = value.at("width").whole(1, kMaxGridSide)};
  const auto patches = static_cast<std::size_t>(map.height) * static_cast<std::size_t>(map.width);
  map.weights = value.at("weights").list(patches, read_weight);
  if (map.weights.size() != patches) value.at("weights").refuse(fmt::format("{} numbers", patches));
  return map;
}

} // namespace

void save_examples(const std::filesystem::path& path, const RunExamples& examples) {
  VLREID_ASSERT(examples.queries.size() <= kMaxItems && examples.hardest.size() <= kMaxItems &&
                examples.attention.size() <= kMaxItems);
  const Json json{{"version", kVersion},
                  {"dataset", examples.dataset},
                  {"queries", list_json(examples.queries, query_json)},
                  {"hardest", list_json(examples.hardest, query_json)},
                  {"attention", list_json(examples.attention, map_json)}};
  write_file(path, json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n');
}

RunExamples load_examples(const std::filesystem::path& path) {
  const Json json = Json::parse(read_text(path, kMaxFileBytes), nullptr, false);
  const Value file(json, path.string());
  file.at("version").whole(kVersion, kVersion);
  return {.dataset = file.at("dataset").text(),
          .queries = file.at("queries").list(kMaxItems, read_query),
          .hardest = file.at("hardest").list(kMaxItems, read_query),
          .attention = file.at("attention").list(kMaxItems, read_map)};
}

} // namespace vlreid
