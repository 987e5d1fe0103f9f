#include "vlreid/datasets/reading.h"

#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <unordered_map>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

bool has_marker(const fs::path& folder, std::span<const std::string> markers) {
  return std::any_of(markers.begin(), markers.end(),
                     [&](const std::string& marker) { return path_exists(folder / marker); });
}

std::string with_slashes(std::span<const std::string> folders) {
  std::vector<std::string> parts;
  for (const std::string& folder : folders)
    parts.push_back("'" + folder + "/'");
  return join(parts, ", ");
}

} // namespace

bool path_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

void report_problem(Dataset& dataset, const DatasetOptions& options, std::string rule, ErrorKind kind,
                    Fault fault) {
  if (!options.keep_going) fail(kind, std::move(fault));
  dataset.problems.push_back({.rule = std::move(rule), .fault = std::move(fault)});
}

fs::path find_set_folder(const fs::path& root, std::span<const std::string> own_folders,
                         std::span<const std::string> markers, std::string_view set) {
  VLREID_REQUIRE(is_folder(root), ErrorKind::missing, root.string(),
                 path_exists(root) ? "a file, not a folder" : "the folder is not there",
                 "the root of the data sets",
                 "set DATASETS.ROOT_DIR (or --root) to the folder that holds " + std::string(set));
  for (const std::string& name : own_folders)
    if (has_marker(root / name, markers)) return root / name;
  if (has_marker(root, markers)) return root;
  for (const std::string& name : own_folders)
    if (is_folder(root / name)) return root / name;
  fail(ErrorKind::missing,
       {.place = root.string(),
        .found = "no folder of " + std::string(set),
        .expected = own_folders.empty() ? "the folder that holds " + join(markers, " or ")
                                        : with_slashes(own_folders) + " in it, or " + join(markers, " or ") +
                                              " in the root itself",
        .remedy = "unpack the set there, or set DATASETS.ROOT_DIR (or --root) to its folder"});
}

bool require_folder(Dataset& dataset, const DatasetOptions& options, const fs::path& folder) {
  if (is_folder(folder)) return true;
  report_problem(
      dataset, options, "layout", ErrorKind::missing,
      {.place = folder.string(),
       .found = path_exists(folder) ? "a file, not a folder" : "the folder is not there",
       .expected = "a folder of " + dataset.name + " with that name",
       .remedy = "unpack the whole set, or set DATASETS.ROOT_DIR (or --root) to the right folder"});
  return false;
}

bool require_file(Dataset& dataset, const DatasetOptions& options, const fs::path& file) {
  if (is_file(file)) return true;
  report_problem(
      dataset, options, "layout", ErrorKind::missing,
      {.place = file.string(),
       .found = "the file is not there",
       .expected = "a list file of " + dataset.name,
       .remedy = "unpack the whole set, or set DATASETS.ROOT_DIR (or --root) to the right folder"});
  return false;
}

std::vector<std::string> list_jpg(Dataset& dataset, const fs::path& folder) {
  dataset.folders.push_back(folder);
  std::vector<std::string> names = list_files(folder);
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".jpg"); });
  return names;
}

bool has_image_extension(std::string_view name) {
  constexpr std::array<std::string_view, 5> kExtensions = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string extension = to_lower_ascii(name.substr(dot));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

void relabel_train(Dataset& dataset) {
  std::vector<std::int64_t>& numbers = dataset.train_numbers;
  numbers.clear();
  for (const Record& record : dataset.train)
    numbers.push_back(record.identity);
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::unordered_map<std::int64_t, std::int64_t> labels;
  for (const std::int64_t number : numbers)
    labels.emplace(number, static_cast<std::int64_t>(labels.size()));
  for (Record& record : dataset.train)
    record.identity = labels.at(record.identity);
}

void for_each_line(const fs::path& file, const std::function<void(std::string_view, std::int64_t)>& body) {
  const MappedFile mapped(file);
  std::string_view text(reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size());
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    if (!line.empty()) body(line, number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string line_place(const fs::path& file, std::int64_t number) {
  return file.string() + ":" + std::to_string(number);
}

std::vector<std::string_view> split_blanks(std::string_view line) {
  constexpr std::string_view kBlanks = " \t";
  std::vector<std::string_view> parts;
  for (std::size_t begin = line.find_first_not_of(kBlanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    parts.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlanks, end);
  }
  return parts;
}

} // namespace vlreid
