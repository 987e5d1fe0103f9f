#include "vlreid/archive/safetensors.h"

#include "vlreid/base/strings.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <utility>

namespace vlreid {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000; // the limit of the format's own library
constexpr std::size_t kMaxRank = 32;
constexpr std::string_view kMetadataKey = "__metadata__";

// One tensor of the header, its bytes still as offsets.
struct RawEntry {
  std::string name;
  std::optional<Dtype> dtype;
  std::optional<std::vector<std::int64_t>> shape;
  std::vector<std::int64_t> offsets;
};

// Takes the header apart while it is being read, so that nothing but the known structure is ever stored:
// { name: {"dtype": text, "shape": [integer...], "data_offsets": [integer, integer]}, "__metadata__": {key:
// text} }.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
public:
  std::vector<RawEntry> entries;
  std::map<std::string, std::string> metadata;
  std::string problem; // set when a callback returns false

  bool start_object(std::size_t) override {
    if (in_list_ || depth_ == 2) return refuse("an object where none belongs");
    ++depth_;
    return true;
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 1 && !in_metadata_) return finish_entry();
    return true;
  }

  bool key(string_t& text) override {
    if (depth_ == 1) return start_entry(text);
    key_ = text;
    if (in_metadata_) return true;
    if (text != "dtype" && text != "shape" && text != "data_offsets")
      return refuse("unknown key '" + text + "'");
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_list_ || key_ == "dtype")
      return refuse("a list where none belongs");
    in_list_ = true;
    list_.clear();
    return true;
  }

  bool end_array() override {
    in_list_ = false;
    if (key_ == "shape")
      entries.back().shape = list_;
    else
      entries.back().offsets = list_;
    return true;
  }

  bool string(string_t& text) override {
    if (depth_ != 2 || in_list_) return refuse("a text where none belongs");
    if (in_metadata_) return metadata.emplace(key_, text).second || refuse("metadata '" + key_ + "' twice");
    if (key_ != "dtype") return refuse("a text where a list belongs");
    entries.back().dtype = dtype_from_safetensors(text);
    return entries.back().dtype.has_value() || refuse("element type '" + text + "'");
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (!in_list_) return refuse("a number where none belongs");
    if (number > static_cast<number_unsigned_t>(INT64_MAX))
      return refuse(fmt::format("the number {}", number));
    if (list_.size() == kMaxRank) return refuse(fmt::format("a list of more than {} numbers", kMaxRank));
    list_.push_back(static_cast<std::int64_t>(number));
    return true;
  }

  bool number_integer(number_integer_t number) override {
    return refuse(fmt::format("the number {}", number));
  }
  bool number_float(number_float_t, const string_t& text) override { return refuse("the number " + text); }
  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a truth value"); }
  bool binary(binary_t&) override { return refuse("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse(fmt::format("broken JSON at byte {}", position));
  }

private:
  bool refuse(std::string what) {
    problem =
        entries.empty() || in_metadata_ ? std::move(what) : what + " (at '" + entries.back().name + "')";
    return false;
  }

  bool start_entry(const std::string& name) {
    in_metadata_ = name == kMetadataKey;
    if (!names_.insert(name).second) return refuse("'" + name + "' twice");
    if (!in_metadata_) entries.push_back({.name = name, .dtype = {}, .shape = {}, .offsets = {}});
    return true;
  }

  bool finish_entry() {
    const RawEntry& entry = entries.back();
    if (!entry.dtype || !entry.shape) return refuse("dtype or shape missing");
    if (entry.offsets.size() != 2) return refuse("data_offsets without two numbers");
    return true;
  }

  int depth_ = 0;
  bool in_metadata_ = false;
  bool in_list_ = false;
  std::string key_;
  std::vector<std::int64_t> list_;
  std::unordered_set<std::string> names_;
};

[[noreturn]] void refuse_file(const std::string& place, std::string found, std::string expected) {
  fail(ErrorKind::data, {.place = place,
                         .found = std::move(found),
                         .expected = std::move(expected),
                         .remedy = "check that it is a whole safetensors file"});
}

std::string_view header_of(std::span<const std::byte> file, const std::string& place) {
  std::uint64_t length = 0;
  if (file.size() < sizeof(length))
    refuse_file(place, fmt::format("{} bytes", file.size()), "a safetensors header");
  std::memcpy(&length, file.data(), sizeof(length)); // little endian, as every machine we build for
  if (length > kMaxHeaderBytes || length > file.size() - sizeof(length))
    refuse_file(place, fmt::format("a header of {} bytes in a file of {}", length, file.size()),
                fmt::format("at most {} bytes and no more than the file has", kMaxHeaderBytes));
  return {reinterpret_cast<const char*>(file.data()) + sizeof(length), static_cast<std::size_t>(length)};
}

TensorEntry locate(const RawEntry& raw, std::span<const std::byte> data, const std::string& place) {
  const std::int64_t begin = raw.offsets[0];
  const std::int64_t end = raw.offsets[1];
  const auto count = element_count(*raw.shape, size_of(*raw.dtype));
  if (begin > end || static_cast<std::uint64_t>(end) > data.size())
    refuse_file(place, fmt::format("'{}' lies at bytes {} to {} of {}", raw.name, begin, end, data.size()),
                "offsets inside the file");
  if (!count || *count * static_cast<std::int64_t>(size_of(*raw.dtype)) != end - begin)
    refuse_file(place,
                fmt::format("'{}' {} {} has {} bytes", raw.name, name_of(*raw.dtype), shape_text(*raw.shape),
                            end - begin),
                "as many bytes as its shape says");
  return {.name = raw.name,
          .dtype = *raw.dtype,
          .shape = *raw.shape,
          .bytes = data.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin))};
}

void require_full_cover(const std::vector<RawEntry>& entries, std::size_t data_size,
                        const std::string& place) {
  std::vector<const RawEntry*> sorted;
  for (const RawEntry& entry : entries)
    sorted.push_back(&entry);
  std::ranges::sort(sorted, {},
                    [](const RawEntry* entry) { return std::pair(entry->offsets[0], entry->offsets[1]); });
  std::int64_t expected = 0;
  for (const RawEntry* entry : sorted) {
    if (entry->offsets[0] != expected)
      refuse_file(place, fmt::format("'{}' begins at byte {}", entry->name, entry->offsets[0]),
                  fmt::format("byte {}, tensors without gap or overlap", expected));
    expected = entry->offsets[1];
  }
  if (static_cast<std::uint64_t>(expected) != data_size)
    refuse_file(place,
                fmt::format("{} bytes after the last tensor", data_size - static_cast<std::size_t>(expected)),
                "none");
}

} // namespace

SafetensorsContent parse_safetensors(std::span<const std::byte> file, const std::string& place) {
  const std::string_view header = header_of(file, place);
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header.begin(), header.end(), &reader))
    refuse_file(place, "in its header: " + reader.problem, "a table of tensors");
  const std::span<const std::byte> data = file.subspan(sizeof(std::uint64_t) + header.size());
  SafetensorsContent content;
  for (const RawEntry& raw : reader.entries)
    content.entries.push_back(locate(raw, data, place));
  require_full_cover(reader.entries, data.size(), place);
  content.metadata = std::move(reader.metadata);
  return content;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(std::make_shared<const MappedFile>(path)),
      content_(parse_safetensors(file_->bytes(), file_->path())) {
  for (std::size_t i = 0; i < content_.entries.size(); ++i)
    index_.emplace(content_.entries[i].name, i);
}

const TensorEntry& SafetensorsFile::at(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  if (found != index_.end()) return content_.entries[found->second];
  std::vector<std::string> names;
  for (const TensorEntry& entry : content_.entries)
    names.push_back(entry.name);
  fail(ErrorKind::data, {.place = path(),
                         .found = fmt::format("no tensor '{}' among {}", name, names.size()),
                         .expected = "that tensor",
                         .remedy = "did you mean '" + nearest(name, names) + "'?"});
}

std::string shape_text(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

} // namespace vlreid
