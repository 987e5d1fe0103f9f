// A YAML text -> its values in order, each with its full key and line. The text is hostile until read: bounds
// on size, nesting and number of values are checked before and while yaml-cpp (whose own recursion is thereby
// bounded) walks it as a stream of events; anchors, aliases and tags are refused, so nothing expands.
// Internal to the folder.
#pragma once

#include "vlreid/config/field.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

struct YamlEntry {
  enum class Kind { value, section, nothing }; // nothing: a key without a value, which overrides nothing
  Kind kind = Kind::value;
  std::string key; // parts joined by dots
  WrittenValue value;
  std::string place; // "file:line"
};

struct YamlText {
  std::vector<YamlEntry> entries;
  std::optional<YamlEntry> base; // _BASE_
};

constexpr std::size_t kMaxYamlBytes = 256 * 1024;

// Throws Error(config) with `place`:line.
YamlText read_yaml(std::string_view text, std::string_view place);

// The field that a value is for; nullptr for a section and for a key without a value. Throws Error(config)
// for an unknown key, and where a section stands in place of a value or the reverse.
const Field* field_of(const FieldTable& table, const YamlEntry& entry);

} // namespace vlreid
