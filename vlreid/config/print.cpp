// What is printed about options: the effective file, the reason of a value, and the table of all keys.
#include "vlreid/base/strings.h"
#include "vlreid/config/config.h"
#include "vlreid/config/field.h"

#include <algorithm>
#include <fmt/format.h>

namespace vlreid {
namespace {

// The lines that open the sections of `key` that `previous` was not in: "SOLVER:\n  STAGE1:\n".
std::string open_sections(std::string_view previous, std::string_view key) {
  std::string lines;
  std::size_t depth = 0;
  std::size_t start = 0;
  for (std::size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.', start), ++depth) {
    const std::string_view section = key.substr(0, dot + 1);
    if (!previous.starts_with(section))
      lines += fmt::format("{:{}}{}:\n", "", 2 * depth, key.substr(start, dot - start));
    start = dot + 1;
  }
  return lines;
}

std::string full_help(const About& about) {
  std::string help(about.help);
  if (!about.choices.empty()) help += ": " + join(split(about.choices, '|'), ", ");
  if (!about.no_effect.empty()) help += fmt::format(" (accepted, without effect here: {})", about.no_effect);
  return help;
}

} // namespace

std::string to_yaml(const Config& config) {
  Config copy = config;
  const FieldTable table(copy);
  std::string yaml;
  std::string previous;
  for (const Field& field : table.fields()) {
    yaml += open_sections(previous, field.key);
    const std::size_t name = field.key.rfind('.') + 1;
    const auto depth = static_cast<std::size_t>(std::ranges::count(field.key, '.'));
    yaml += fmt::format("{:{}}{}: {}\n", "", 2 * depth, field.key.substr(name), field.print());
    previous = field.key;
  }
  return yaml;
}

std::string explain(const ConfigTrace& trace, std::string_view key) {
  const auto found = trace.keys.find(key);
  if (found == trace.keys.end()) {
    Config config;
    FieldTable(config).fail_unknown(key, "--why");
  }
  const std::vector<ConfigTrace::Source>& sources = found->second;
  std::string text = fmt::format("{}: {}\n  from {}\n", key, sources.back().value, sources.back().place);
  for (auto source = sources.rbegin() + 1; source != sources.rend(); ++source)
    text += fmt::format("  overrides {} from {}\n", source->value, source->place);
  return text;
}

std::vector<KeyDocument> document() {
  Config config;
  const FieldTable table(config);
  std::vector<KeyDocument> keys;
  for (const Field& field : table.fields())
    keys.push_back({field.key, field.print(), full_help(field.about)});
  return keys;
}

} // namespace vlreid
