// Options of a verb, declared once: parsing, help, completion and the manual page are all made from the
// declaration. A thin face of CLI11, so that only one source pays for its header.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace vlreid {

struct OptionRules {
  bool is_required = false;
  std::vector<std::string> choices = {};                     // allowed texts; empty: any
  double minimum = -std::numeric_limits<double>::infinity(); // of numbers
  double maximum = std::numeric_limits<double>::infinity();
  bool shows_default = true; // in the help
};

// `names` is one of "--batch", "--config-file,--config_file", or "DIR" for a positional argument. Targets
// must outlive the parsing and hold the default.
class Options {
public:
  explicit Options(CLI::App& command) : command_(command) {}

  void text(const std::string& names, std::string& target, const std::string& help,
            const OptionRules& rules = {});
  void number(const std::string& names, int& target, const std::string& help, const OptionRules& rules = {});
  void number(const std::string& names, std::int64_t& target, const std::string& help,
              const OptionRules& rules = {});
  void number(const std::string& names, std::uint64_t& target, const std::string& help,
              const OptionRules& rules = {});
  void flag(const std::string& names, bool& target, const std::string& help);
  // Of what is declared from now on, in the help; "" for the usual one.
  void heading(const std::string& name) { heading_ = name; }
  // Any number of positional words; words that look like options are not among them.
  void words(const std::string& name, std::vector<std::string>& target, const std::string& help,
             const OptionRules& rules = {});

private:
  CLI::App& command_;
  std::string heading_;
};

// The value of an enumeration for a text that the rules have checked already.
template <typename Enum>
Enum choose(const std::string& text, const std::vector<std::pair<std::string, Enum>>& table) {
  for (const auto& [name, value] : table)
    if (name == text) return value;
  return table.front().second;
}

template <typename Enum>
std::vector<std::string> names_of(const std::vector<std::pair<std::string, Enum>>& table) {
  std::vector<std::string> names;
  for (const auto& [name, value] : table)
    names.push_back(name);
  return names;
}

} // namespace vlreid
