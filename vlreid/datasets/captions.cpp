#include "vlreid/datasets/captions.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"
#include "vlreid/datasets/csv.h"
#include "vlreid/datasets/json_rows.h"
#include "vlreid/datasets/reading.h"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongestCaption = 16384; // bytes; a model reads the first 77 tokens
constexpr std::array<std::string_view, 4> kSplitWords = {"", "train", "val", "test"}; // by CaptionSplit

// Where a row stands; asked only for messages.
using Place = std::function<std::string()>;

// One row of a list; what is absent is empty.
struct Row {
  std::string path, identity, split;
  std::vector<std::string> captions;
};

[[noreturn]] void fail_row(const Place& place, std::string found, std::string expected) {
  fail(ErrorKind::data, {.place = place(),
                         .found = std::move(found),
                         .expected = std::move(expected),
                         .remedy = "correct this row"});
}

CaptionSplit parse_caption_split(const std::string& word, const Place& place) {
  const auto found = std::find(kSplitWords.begin(), kSplitWords.end(), word);
  if (found == kSplitWords.end()) fail_row(place, "split '" + word + "'", "train, val or test");
  return static_cast<CaptionSplit>(found - kSplitWords.begin());
}

void check_row(const Row& row, const Place& place) {
  if (row.path.empty() || row.path.find('\0') != std::string::npos)
    fail_row(place, row.path.empty() ? "no path" : "a path with a zero byte", "the path of an image");
  if (row.captions.empty()) fail_row(place, "no caption", "at least one sentence about the image");
  for (const std::string& caption : row.captions) {
    if (trim(caption).empty()) fail_row(place, "a blank caption", "a sentence about the image");
    if (caption.size() > kLongestCaption)
      fail_row(place, "a caption of " + std::to_string(caption.size()) + " bytes",
               "at most " + std::to_string(kLongestCaption));
  }
}

// Gathers the captions of each image and numbers the identities.
class CaptionSetBuilder {
public:
  void add(Row row, const Place& place) {
    check_row(row, place);
    const CaptionSplit split = parse_caption_split(row.split, place);
    // A zero byte keeps paths apart from names.
    const std::string name = row.identity.empty() ? std::string(1, '\0') + row.path : row.identity;
    const std::int64_t identity =
        identities_.emplace(name, static_cast<std::int64_t>(identities_.size())).first->second;
    const auto [known, is_new] = places_.emplace(row.path, images_.size());
    if (is_new) {
      images_.push_back({.path = std::move(row.path), .identity = identity, .split = split, .captions = {}});
    }
    CaptionedImage& image = images_[known->second];
    if (image.identity != identity || image.split != split)
      fail_row(place, "'" + image.path + "' again, with another identity or split", "the same as before");
    std::move(row.captions.begin(), row.captions.end(), std::back_inserter(image.captions));
  }

  CaptionSet build(const fs::path& list) {
    VLREID_REQUIRE(!images_.empty(), ErrorKind::data, list.string(), "no rows", "images with captions",
                   "fill the list");
    return {.list = list,
            .images_root = {},
            .images = std::move(images_),
            .identities = static_cast<std::int64_t>(identities_.size())};
  }

private:
  std::vector<CaptionedImage> images_;
  std::unordered_map<std::string, std::size_t> places_;      // path -> place in images_
  std::unordered_map<std::string, std::int64_t> identities_; // name -> number
};

// Text of a member that is a text or a whole number; "" when it is absent or null.
std::string text_of(const Json& object, const char* key, const Place& place) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return found->dump();
  fail_row(place, std::string(key) + " is " + found->type_name(), "a text or a whole number");
}

Row row_of(const Json& object, const Place& place) {
  Row row{.path = text_of(object, "file_path", place),
          .identity = text_of(object, "id", place),
          .split = text_of(object, "split", place),
          .captions = {}};
  if (row.path.empty()) row.path = text_of(object, "img_path", place);
  const auto captions = object.find("captions");
  if (captions == object.end()) return row;
  if (!captions->is_array()) fail_row(place, std::string("captions is ") + captions->type_name(), "[...]");
  for (const Json& caption : *captions) {
    if (!caption.is_string())
      fail_row(place, std::string(caption.type_name()) + " among the captions", "texts");
    row.captions.push_back(caption.get<std::string>());
  }
  return row;
}

// Each element is handed over and dropped when it is complete, so the list never stands in memory as a tree.
void read_json(CaptionSetBuilder& builder, std::string_view text, const std::string& name) {
  std::int64_t element = 0;
  const Place place = [&] { return name + "[" + std::to_string(element) + "]"; };
  const auto handle = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > 1 || event == Json::parse_event_t::key) return true;
    if (depth == 0) {
      VLREID_REQUIRE(
          event == Json::parse_event_t::array_start || event == Json::parse_event_t::array_end,
          ErrorKind::data, name, "no list",
          "an array of objects: [{\"file_path\": \"a.jpg\", \"id\": 1, \"captions\": [\"...\"]}, ...]",
          "put the rows in [ ]");
      return true;
    }
    if (event == Json::parse_event_t::object_start) return true;
    if (event != Json::parse_event_t::object_end) fail_row(place, "no object", "an object with captions");
    builder.add(row_of(value, place), place);
    ++element;
    return false;
  };
  try {
    [[maybe_unused]] const Json nothing_left = Json::parse(text, handle);
  } catch (const Json::exception& error) {
    const auto* syntax = dynamic_cast<const Json::parse_error*>(&error);
    fail_json_syntax(text, name, syntax == nullptr ? 0 : syntax->byte);
  }
}

constexpr std::array<std::string_view, 4> kColumns = {"path", "caption", "identity", "split"};

using Columns = std::array<std::optional<std::size_t>, kColumns.size()>;

Columns read_header(const CsvReader& csv, const std::vector<std::string_view>& header) {
  Columns columns;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto found =
        std::find(kColumns.begin(), kColumns.end(), std::string_view(to_lower_ascii(trim(header[i]))));
    if (found != kColumns.end()) columns[static_cast<std::size_t>(found - kColumns.begin())] = i;
  }
  VLREID_REQUIRE(columns[0] && columns[1], ErrorKind::data, csv.where(),
                 "no columns 'path' and 'caption' in the first line",
                 "a first line like path,caption,identity,split (identity and split may be absent)",
                 "add the header, and put quotes around captions that hold a comma");
  return columns;
}

void read_csv(CaptionSetBuilder& builder, std::string_view text, const std::string& name) {
  CsvReader csv(text, name);
  std::vector<std::string_view> fields;
  if (!csv.next(fields)) return;
  const std::size_t width = fields.size();
  const Columns columns = read_header(csv, fields);
  const Place place = [&] { return csv.where(); };
  while (csv.next(fields)) {
    if (fields.size() != width)
      fail_row(place, std::to_string(fields.size()) + " fields",
               std::to_string(width) + " as in the header; quotes around captions that hold a comma");
    const auto value = [&](std::size_t column) {
      return columns[column] ? std::string(trim(fields[*columns[column]])) : std::string();
    };
    builder.add({.path = value(0), .identity = value(2), .split = value(3), .captions = {value(1)}}, place);
  }
}

// Puts the folder in front of every path.
void place_images(CaptionSet& set, const fs::path& root) {
  const std::string first = set.images.front().path;
  const fs::path own = set.list.parent_path();
  const std::vector<fs::path> candidates = root.empty()
                                               ? std::vector<fs::path>{own, own / "imgs", own / "ICFG-PEDES"}
                                               : std::vector<fs::path>{root};
  const auto holds_first = [&](const fs::path& folder) { return is_file(folder / first); };
  const auto found = std::find_if(candidates.begin(), candidates.end(), holds_first);
  VLREID_REQUIRE(found != candidates.end(), ErrorKind::missing, set.list.string(),
                 "its first image '" + first + "' is not in '" +
                     (candidates.front().empty() ? "." : candidates.front().string()) + "'",
                 "the images that the list names", "give the folder of the images with --images");
  set.images_root = *found;
  for (CaptionedImage& image : set.images)
    image.path = (set.images_root / image.path).string();
}

} // namespace

CaptionSet open_captions(const fs::path& list, const fs::path& images_root) {
  VLREID_REQUIRE(is_file(list), ErrorKind::missing, list.string(),
                 path_exists(list) ? "a folder, not a file" : "the file is not there",
                 "a JSON or CSV list of images and captions", "give the path of the list itself");
  const MappedFile mapped(list);
  const std::string_view text(reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size());
  CaptionSetBuilder builder;
  if (to_lower_ascii(list.extension().string()) == ".json")
    read_json(builder, text, list.string());
  else
    read_csv(builder, text, list.string());
  CaptionSet set = builder.build(list);
  place_images(set, images_root);
  return set;
}

std::vector<CaptionedImage> select_split(const CaptionSet& set, std::string_view split) {
  if (split == "all") return set.images;
  const auto word = std::find(kSplitWords.begin() + 1, kSplitWords.end(), split);
  VLREID_REQUIRE(word != kSplitWords.end(), ErrorKind::usage, "--split", "'" + std::string(split) + "'",
                 "train, val, test or all", "change it");
  const auto wanted = static_cast<CaptionSplit>(word - kSplitWords.begin());
  std::vector<CaptionedImage> chosen;
  for (const CaptionedImage& image : set.images)
    if (image.split == wanted || image.split == CaptionSplit::none) chosen.push_back(image);
  VLREID_REQUIRE(!chosen.empty(), ErrorKind::data, set.list.string(),
                 "no image of split '" + std::string(split) + "'", "at least one", "choose another --split");
  return chosen;
}

} // namespace vlreid
