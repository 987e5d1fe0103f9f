#include "vlreid/datasets/veri_types.h"

#include "vlreid/base/files.h"
#include "vlreid/datasets/reading.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

using TypeOfImage = std::unordered_map<std::string, std::string>;

constexpr std::string_view kSpaces = " \t\r\n";

// Value of attribute `key` in the inside of a tag ("a="1" b='2'"), empty when it is not there.
std::string_view attribute(std::string_view inside, std::string_view key) {
  while (true) {
    const std::size_t equals = inside.find('=');
    if (equals == std::string_view::npos) return {};
    std::string_view name = inside.substr(0, equals);
    name = name.substr(0, name.find_last_not_of(kSpaces) + 1);
    name = name.substr(name.find_last_of(kSpaces) + 1);
    const std::size_t open = inside.find_first_not_of(kSpaces, equals + 1);
    if (open == std::string_view::npos) return {};
    const std::size_t close = inside.find(inside[open], open + 1);
    if ((inside[open] != '"' && inside[open] != '\'') || close == std::string_view::npos) return {};
    if (name == key) return inside.substr(open + 1, close - open - 1);
    inside.remove_prefix(close + 1);
  }
}

std::map<std::string, std::string, std::less<>>
read_type_names(Dataset& dataset, const DatasetOptions& options, const fs::path& file) {
  std::map<std::string, std::string, std::less<>> names;
  for_each_line(file, [&](std::string_view line, std::int64_t number) {
    const std::vector<std::string_view> words = split_blanks(line);
    if (words.size() >= 2) {
      names.emplace(words[0], words[1]);
      return;
    }
    report_problem(dataset, options, "list", ErrorKind::data,
                   {.place = line_place(file, number),
                    .found = "'" + std::string(line) + "'",
                    .expected = "a number and a type, as in '1 sedan'",
                    .remedy = "take the file of the release"});
  });
  return names;
}

// Type id of each number: its first image in these labels.
void add_types(std::map<std::int64_t, std::string>& types, const Subset& train, const TypeOfImage& labels) {
  for (const Record& record : train) {
    if (types.contains(record.identity)) continue;
    const auto found = labels.find(record.path.substr(record.path.rfind('/') + 1));
    if (found != labels.end()) types.emplace(record.identity, found->second);
  }
}

} // namespace

TypeOfImage parse_label_items(std::string_view xml, const std::string& place) {
  constexpr std::string_view kOpen = "<Item";
  TypeOfImage types;
  for (std::size_t at = xml.find(kOpen); at != std::string_view::npos; at = xml.find(kOpen, at + 1)) {
    const std::string_view rest = xml.substr(at + kOpen.size());
    if (rest.empty() || kSpaces.find(rest[0]) == std::string_view::npos) continue; // <Items ...>
    const std::size_t end = rest.find('>');
    VLREID_REQUIRE(end != std::string_view::npos, ErrorKind::data, place + ":" + std::to_string(at),
                   "an element that does not end", "<Item imageName=\"...\" typeID=\"...\" />",
                   "take the file of the release");
    const std::string_view inside = rest.substr(0, end);
    types.insert_or_assign(std::string(attribute(inside, "imageName")),
                           std::string(attribute(inside, "typeID")));
  }
  return types;
}

void read_vehicle_types(Dataset& dataset, const Subset& numbered_train, const DatasetOptions& options) {
  const std::array<fs::path, 3> files = {dataset.root / "train_label.xml", dataset.root / "test_label.xml",
                                         dataset.root / "list_type.txt"};
  for (const fs::path& file : files) {
    if (is_file(file)) continue;
    if (options.system == ReferenceSystem::mm) require_file(dataset, options, file);
    return;
  }
  std::map<std::int64_t, std::string> types;
  for (const fs::path& file : {files[0], files[1]})
    add_types(types, numbered_train, parse_label_items(read_text(file), file.string()));

  const auto names = read_type_names(dataset, options, files[2]);
  std::set<std::string> unknown;
  for (const std::int64_t number : dataset.train_numbers) {
    const auto id = types.find(number);
    const auto name = id == types.end() ? names.end() : names.find(id->second);
    if (id != types.end() && name == names.end()) unknown.insert(id->second);
    dataset.vehicle_types.push_back(name == names.end() ? "" : name->second);
  }
  for (const std::string& id : unknown)
    dataset.warnings.push_back("typeID " + id + " is not in " + files[2].string() +
                               ": those vehicles get no type");
}

} // namespace vlreid
