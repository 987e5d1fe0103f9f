// The flat view of a Config: one Field per key, made by visiting the structs once. Everything that has to do
// with all options (reading, printing, checking, documenting) is a loop over this table. Internal to the
// folder.
#pragma once

#include "vlreid/config/clip_sizes.h"
#include "vlreid/config/config.h"

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace vlreid {

// A value as written: one text, or a list of texts ("(40, 70)" in Python's form counts as one text until a
// field wants a list).
struct WrittenValue {
  std::vector<std::string> items;
  bool is_list = false;
};

struct Field {
  using Target = std::variant<bool*, std::int64_t*, double*, std::string*, std::array<std::int64_t, 2>*,
                              std::array<double, 3>*, std::vector<std::int64_t>*, std::vector<std::string>*>;
  std::string key; // full: "SOLVER.STAGE2.BASE_LR"
  About about;
  Target target;

  // Sets the option; a wrong type is Error(config) at `place`.
  void assign(const WrittenValue& value, const std::string& place) const;
  // Throws Error(config) at `place` when the option is out of range or not one of the choices.
  void check(const std::string& place) const;
  // The option in the form that the YAML file has.
  std::string print() const;
};

class FieldTable {
public:
  // The fields point into the options.
  explicit FieldTable(Config& config);
  explicit FieldTable(ClipSizes& sizes);

  const std::vector<Field>& fields() const { return fields_; }
  const Field* find(std::string_view key) const;
  bool is_section(std::string_view key) const;
  // Throws Error(config): what may stand where `key` stands, and the nearest of them.
  [[noreturn]] void fail_unknown(std::string_view key, std::string place) const;

private:
  std::vector<std::string> keys_in(std::string_view section) const;

  std::vector<Field> fields_;
  std::vector<std::string> sections_;
};

} // namespace vlreid
