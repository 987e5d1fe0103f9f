#include "vlreid/attributes/table.h"

#include "vlreid/attributes/mat_file.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"
#include "vlreid/datasets/csv.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <set>
#include <span>
#include <utility>

namespace vlreid {
namespace {

constexpr std::uint64_t kMaxFileBytes = 64u << 20;
constexpr std::size_t kMaxColumns = 1024;
constexpr std::string_view kMatTitle = "MATLAB ";
constexpr const char* kMatIdentities = "image_index"; // the field of texts beside the codes
constexpr std::array<std::string_view, 3> kIdentityColumns = {"identity", "id", "pid"};

[[noreturn]] void refuse(std::string place, std::string found, std::string expected) {
  fail(ErrorKind::data, {.place = std::move(place),
                         .found = std::move(found),
                         .expected = std::move(expected),
                         .remedy = "correct the table"});
}

// A code as it stands in a CSV.
std::string code_text(double number, const std::string& place, const std::string& column) {
  constexpr double kHighestCode = 1e6;
  if (!(number == std::floor(number) && std::abs(number) <= kHighestCode))
    refuse(place, fmt::format("{} in '{}'", number, column), "a whole number");
  return std::to_string(static_cast<std::int64_t>(number));
}

class MatTable {
public:
  MatTable(std::span<const std::byte> file, const std::string& place)
      : variables_(read_mat(file, place)), table_{.place = place, .names = {}, .rows = {}} {}

  AttributeTable read() {
    const auto variable = std::ranges::find_if(
        variables_, [](const MatField& v) { return v.value.field("test") || v.value.field("train"); });
    if (variable == variables_.end())
      refuse(table_.place, "no struct with the fields 'test' or 'train'",
             "Market-1501's attributes (market_attribute.mat)");
    for (const char* split : {"test", "train"})
      if (const MatValue* part = variable->value.field(split)) read_split(*part, split);
    return std::move(table_);
  }

private:
  void read_split(const MatValue& part, const std::string& split) {
    const MatValue* identities = part.field(kMatIdentities);
    if (identities == nullptr || identities->kind != MatValue::Kind::cells)
      refuse(table_.place, fmt::format("no list '{}' in '{}'", kMatIdentities, split),
             "the identities as texts");
    if (table_.names.empty())
      for (const MatField& field : part.fields)
        if (field.name != kMatIdentities) table_.names.push_back(field.name);
    if (part.fields.size() != table_.names.size() + 1)
      refuse(table_.place, fmt::format("'{}' has {} fields", split, part.fields.size()),
             fmt::format("{}, as in the other part", table_.names.size() + 1));
    for (std::size_t i = 0; i < identities->cells.size(); ++i)
      read_row(part, split, i);
  }

  void read_row(const MatValue& part, const std::string& split, std::size_t i) {
    const MatValue& identity = part.field(kMatIdentities)->cells[i];
    if (identity.kind != MatValue::Kind::text || identity.text.empty())
      refuse(table_.place, fmt::format("identity {} of '{}' is no text", i, split), "a text such as 0001");
    AttributeRow row{.identity = identity.text, .split = split, .values = {}};
    for (const std::string& name : table_.names) {
      const MatValue* field = part.field(name);
      if (field == nullptr || field->numbers.size() != part.field(kMatIdentities)->cells.size())
        refuse(table_.place,
               fmt::format("'{}' of '{}' has {} values", name, split, field ? field->numbers.size() : 0),
               fmt::format("{}, one an identity", part.field(kMatIdentities)->cells.size()));
      row.values.push_back(code_text(field->numbers[i], table_.place, name));
    }
    table_.rows.push_back(std::move(row));
  }

  std::vector<MatField> variables_;
  AttributeTable table_;
};

class CsvTable {
public:
  CsvTable(std::string_view text, const std::string& place)
      : csv_(text, place), table_{.place = place, .names = {}, .rows = {}} {}

  AttributeTable read() {
    std::vector<std::string_view> fields;
    if (csv_.next(fields)) read_header(fields);
    const std::size_t width = columns_.size();
    while (csv_.next(fields)) {
      if (fields.size() != width)
        refuse(csv_.where(), fmt::format("{} fields", fields.size()),
               fmt::format("{} as in the header", width));
      read_row(fields);
    }
    return std::move(table_);
  }

private:
  void read_header(const std::vector<std::string_view>& fields) {
    if (fields.size() > kMaxColumns)
      refuse(csv_.where(), fmt::format("{} columns", fields.size()), fmt::format("at most {}", kMaxColumns));
    for (const std::string_view field : fields) {
      const std::string name = to_lower_ascii(trim(field));
      if (name.empty() || std::ranges::find(columns_, name) != columns_.end())
        refuse(csv_.where(), fmt::format("column '{}' {}", name, name.empty() ? "has no name" : "twice"),
               "different names");
      columns_.push_back(name);
    }
    const auto is_identity = [](const std::string& name) {
      return std::ranges::find(kIdentityColumns, name) != kIdentityColumns.end();
    };
    identity_ = static_cast<std::size_t>(std::ranges::find_if(columns_, is_identity) - columns_.begin());
    split_ = static_cast<std::size_t>(std::ranges::find(columns_, "split") - columns_.begin());
    if (identity_ == columns_.size())
      refuse(csv_.where(), "no column 'identity' in the first line",
             "a first line like identity,split,age,hair,... (split may be absent)");
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (i != identity_ && i != split_) table_.names.push_back(columns_[i]);
  }

  void read_row(const std::vector<std::string_view>& fields) {
    AttributeRow row;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const std::string value(trim(fields[i]));
      if (i == identity_)
        row.identity = value;
      else if (i == split_)
        row.split = to_lower_ascii(value);
      else
        row.values.push_back(value);
    }
    if (row.identity.empty()) refuse(csv_.where(), "no identity", "a number or a name");
    table_.rows.push_back(std::move(row));
  }

  CsvReader csv_;
  AttributeTable table_;
  std::vector<std::string> columns_;
  std::size_t identity_ = 0, split_ = 0;
};

void check(const AttributeTable& table) {
  if (table.rows.empty()) refuse(table.place, "no identity", "one row an identity");
  if (table.names.empty()) refuse(table.place, "no attribute", "one column an attribute");
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const AttributeRow& row : table.rows)
    if (!seen.emplace(row.split, row.identity).second)
      refuse(table.place, fmt::format("identity '{}' twice", row.identity), "one row an identity");
}

} // namespace

std::optional<std::size_t> AttributeTable::find(std::string_view name) const {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

AttributeTable open_attributes(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_bytes(path, kMaxFileBytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  AttributeTable table = text.starts_with(kMatTitle) ? MatTable(bytes, path.string()).read()
                                                     : CsvTable(text, path.string()).read();
  check(table);
  return table;
}

AttributeTable select_split(const AttributeTable& table, std::string_view split) {
  if (split == "all") return table;
  AttributeTable chosen{.place = table.place, .names = table.names, .rows = {}};
  std::set<std::string> splits;
  for (const AttributeRow& row : table.rows) {
    splits.insert(row.split);
    if (row.split == split || row.split.empty()) chosen.rows.push_back(row);
  }
  VLREID_REQUIRE(!chosen.rows.empty(), ErrorKind::data, table.place,
                 "no identity of split '" + std::string(split) + "'",
                 join(std::vector<std::string>(splits.begin(), splits.end()), ", ") + " or all",
                 "choose another --split");
  return chosen;
}

std::optional<std::int64_t> identity_number(const AttributeRow& row) {
  return parse_integer(row.identity);
}

} // namespace vlreid
