#include "vlreid/config/yaml_reader.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace vlreid {
namespace {

// A reference file has 80 lines, 8 lists and 3 levels.
constexpr std::size_t kMaxBrackets =
    512; // of '[' and '{' in the whole text: bounds the nesting of flow collections
constexpr std::size_t kMaxIndent =
    128; // columns before a line's content: bounds the nesting of block collections
constexpr std::size_t kMaxDepth = 8;
constexpr std::size_t kMaxValues = 4096;

[[noreturn]] void refuse(std::string place, std::string found, const std::string& expected,
                         std::string remedy) {
  fail(ErrorKind::config, {std::move(place), std::move(found), "expected " + expected, std::move(remedy)});
}

std::string at_line(std::string_view place, std::size_t line) {
  return fmt::format("{}:{}", place, line);
}

// The length of the UTF-8 sequence at the start of `text`; 0 when it is not valid.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80   ? 1
                             : byte(0) < 0xc2 ? 0
                             : byte(0) < 0xe0 ? 2
                             : byte(0) < 0xf0 ? 3
                             : byte(0) < 0xf5 ? 4
                                              : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return length;
}

void check_line(std::string_view line, const std::string& place) {
  const std::size_t content = line.find_first_not_of(" \t");
  if (content == std::string_view::npos || line[content] == '#') return;
  if (line.substr(0, content).find('\t') != std::string_view::npos)
    refuse(place, "a tab in the indentation", "blanks", "replace the tab by blanks");
  // "- - - x" and "? ? x" nest as well.
  if (std::min(line.find_first_not_of(" -?:"), line.size()) > kMaxIndent)
    refuse(place, "content that is nested too deep", fmt::format("at most {} columns", kMaxIndent),
           "indent less");
  for (std::size_t i = 0; i < line.size();) {
    const std::size_t length = utf8_length(line.substr(i));
    const auto byte = static_cast<unsigned char>(line[i]);
    if (length == 0 || (byte < 0x20 && byte != '\t') || byte == 0x7f)
      refuse(place, fmt::format("byte 0x{:02x} at column {}", byte, i + 1), "text in UTF-8",
             "remove it, or name the right file");
    i += length;
  }
}

// Bounds that hold before the parser sees the text.
void check_text(std::string_view text, std::string_view place) {
  if (text.size() > kMaxYamlBytes)
    refuse(std::string(place), fmt::format("{} bytes", text.size()), fmt::format("at most {}", kMaxYamlBytes),
           "name a configuration file");
  const auto is_bracket = [](char c) { return c == '[' || c == '{'; };
  if (static_cast<std::size_t>(std::ranges::count_if(text, is_bracket)) > kMaxBrackets)
    refuse(std::string(place), "too many lists or nested brackets", fmt::format("at most {}", kMaxBrackets),
           "write fewer");
  std::size_t number = 1;
  for (; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    check_line(line, at_line(place, number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Turns the parser's events into entries: maps become key prefixes, lists of scalars become values.
class EntryBuilder : public YAML::EventHandler {
public:
  EntryBuilder(YamlText& result, std::string_view place) : result_(result), place_(place) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (is_second_) refuse(at(mark), "a second document", "one", "remove it");
    is_second_ = true;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_plain(mark, "?", anchor);
    if (levels_.empty()) return; // an empty file
    if (levels_.back().is_list || levels_.back().key.empty())
      refuse(at(mark), "an empty item", "a value", "write it or remove the item");
    add(mark, YamlEntry::Kind::nothing, {});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(at(mark), "an alias", "a value", "write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_plain(mark, tag, anchor);
    if (levels_.empty()) refuse(at(mark), "text", "lines 'KEY: value'", "name a configuration file");
    Level& level = levels_.back();
    if (level.is_list)
      level.items.push_back(value);
    else if (level.key.empty())
      start_key(mark, value);
    else
      add(mark, YamlEntry::Kind::value, {.items = {value}});
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_plain(mark, tag, anchor);
    const bool follows_key = !levels_.empty() && !levels_.back().is_list && !levels_.back().key.empty();
    if (!follows_key)
      refuse(at(mark), "a list", levels_.empty() ? "lines 'KEY: value'" : "single values", "remove it");
    levels_.push_back({.is_list = true, .mark = mark});
  }
  void OnSequenceEnd() override {
    const Level list = std::move(levels_.back());
    levels_.pop_back();
    add(list.mark, YamlEntry::Kind::value, {.items = list.items, .is_list = true});
  }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_plain(mark, tag, anchor);
    if (!levels_.empty()) {
      if (levels_.back().is_list || levels_.back().key.empty())
        refuse(at(mark), "a section in a list or as a key", "a value", "write 'KEY: value'");
      result_.entries.push_back({YamlEntry::Kind::section, full_key(), {}, at(levels_.back().mark)});
    }
    if (levels_.size() >= kMaxDepth)
      refuse(at(mark), "sections that are nested too deep", fmt::format("at most {} levels", kMaxDepth),
             "nest less");
    levels_.push_back({.mark = mark});
  }
  void OnMapEnd() override {
    levels_.pop_back();
    if (!levels_.empty()) levels_.back().key.clear();
  }

private:
  struct Level {
    bool is_list = false;
    std::string key = {}; // of a map: the key whose value comes next; empty while a key is expected
    std::vector<std::string> items = {};
    YAML::Mark mark = {}; // of the key, or of the list
  };

  std::string at(const YAML::Mark& mark) const {
    return at_line(place_, static_cast<std::size_t>(mark.line) + 1);
  }

  void check_plain(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (++values_ > kMaxValues)
      refuse(at(mark), "too many values", fmt::format("at most {}", kMaxValues), "name a configuration file");
    if (anchor != YAML::NullAnchor)
      refuse(at(mark), "an anchor", "a value", "write the value out where it is needed");
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(at(mark), fmt::format("the tag '{}'", tag.substr(0, 60)), "a plain value", "remove the tag");
  }

  void start_key(const YAML::Mark& mark, const std::string& key) {
    if (key.empty()) refuse(at(mark), "an empty key", "a key", "write it");
    levels_.back().key = key;
    levels_.back().mark = mark;
  }

  std::string full_key() const {
    std::string key;
    for (const Level& level : levels_)
      key += (key.empty() ? "" : ".") + level.key;
    return key;
  }

  void add(const YAML::Mark& mark, YamlEntry::Kind kind, WrittenValue value) {
    // A key without a value is marked where the parser noticed it: the next line. Its own line is meant.
    const std::string place = at(kind == YamlEntry::Kind::nothing ? levels_.back().mark : mark);
    YamlEntry entry{kind, full_key(), std::move(value), place};
    levels_.back().key.clear();
    if (entry.key == "_BASE_")
      result_.base = std::move(entry);
    else
      result_.entries.push_back(std::move(entry));
  }

  YamlText& result_;
  std::string_view place_;
  std::vector<Level> levels_;
  std::size_t values_ = 0;
  bool is_second_ = false;
};

} // namespace

YamlText read_yaml(std::string_view text, std::string_view place) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3); // byte-order mark
  check_text(text, place);
  YamlText result;
  EntryBuilder builder(result, place);
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    const bool has_line = error.mark.line >= 0;
    refuse(has_line ? at_line(place, static_cast<std::size_t>(error.mark.line) + 1) : std::string(place),
           error.msg, "YAML", "correct the line");
  }
  return result;
}

const Field* field_of(const FieldTable& table, const YamlEntry& entry) {
  const Field* field = table.find(entry.key);
  const bool is_section = table.is_section(entry.key);
  if (!field && !is_section) table.fail_unknown(entry.key, entry.place);
  if (entry.kind == YamlEntry::Kind::nothing)
    return nullptr; // COMPAT: the references ship an empty 'DATASETS:'
  if (is_section != (entry.kind == YamlEntry::Kind::section))
    fail(ErrorKind::config,
         {entry.place, fmt::format("{} is {}", entry.key, is_section ? "a value" : "a section"),
          is_section ? "expected a section with keys" : "expected a value", "see 'vlreid config --help'"});
  return field;
}

} // namespace vlreid
