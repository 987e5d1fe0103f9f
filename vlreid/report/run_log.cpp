#include "vlreid/report/run_log.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

constexpr std::uint64_t kMaxLogBytes = 512u << 20;
constexpr std::size_t kMaxValues = 64; // of one record

constexpr std::array<std::pair<RecordKind, std::string_view>, 4> kKindNames = {
    {{RecordKind::train, "train"},
     {RecordKind::epoch, "epoch"},
     {RecordKind::eval, "eval"},
     {RecordKind::timing, "timing"}}};

std::string_view name_of(RecordKind kind) {
  return std::ranges::find(kKindNames, kind, [](const auto& entry) { return entry.first; })->second;
}

using Json = nlohmann::ordered_json;

bool read_kind(const Json& value, RecordKind& kind) {
  for (const auto& [known, name] : kKindNames)
    if (value == name) return kind = known, true;
  return false;
}

bool read_count(const Json& value, int& count) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kEndOfEpoch) return false;
  return count = value.get<int>(), true;
}

// null stands for a number that is not finite.
bool read_value(const std::string& name, const Json& value, NamedValues& values) {
  if (values.size() == kMaxValues || !(value.is_number() || value.is_null())) return false;
  values.emplace_back(name, value.is_null() ? std::nan("") : value.get<double>());
  return true;
}

bool read_member(const std::string& name, const Json& value, RunRecord& record) {
  if (name == "kind") return read_kind(value, record.kind);
  if (name == "stage") return read_count(value, record.at.stage);
  if (name == "epoch") return read_count(value, record.at.epoch);
  if (name == "iteration") return read_count(value, record.at.iteration);
  if (name != "dataset") return read_value(name, value, record.values);
  if (value.is_string()) record.dataset = value.get<std::string>();
  return value.is_string();
}

std::optional<RunRecord> parse_record(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("kind")) return std::nullopt;
  RunRecord record;
  for (const auto& [name, value] : json.items())
    if (!read_member(name, value, record)) return std::nullopt;
  return record;
}

// Calls visit(record, end of its line) for every finished line until it answers false.
template <typename Visit>
void for_each_record(const std::filesystem::path& path, const Visit& visit) {
  const std::string text = read_text(path, kMaxLogBytes);
  std::size_t begin = 0;
  for (std::size_t number = 1;; ++number) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) return;
    const auto record = parse_record(std::string_view(text).substr(begin, end - begin));
    VLREID_REQUIRE(record, ErrorKind::data, fmt::format("{}:{}", path.string(), number),
                   "not a record of a run", "a line as vlreid writes them",
                   "remove the line, or the file to begin a new one");
    begin = end + 1;
    if (!visit(*record, begin)) return;
  }
}

std::uint64_t bytes_to_keep(const std::filesystem::path& path,
                            const std::optional<RunPosition>& resume_after) {
  std::uint64_t bytes = 0;
  if (!resume_after || !std::filesystem::exists(path)) return bytes;
  for_each_record(path, [&](const RunRecord& record, std::size_t end) {
    if (record.at > *resume_after) return false;
    bytes = end;
    return true;
  });
  return bytes;
}

} // namespace

std::optional<double> RunRecord::value(std::string_view name) const {
  const auto found = std::ranges::find(values, name, [](const auto& entry) { return entry.first; });
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

std::string to_line(const RunRecord& record) {
  Json json{{"kind", name_of(record.kind)}, {"stage", record.at.stage}, {"epoch", record.at.epoch}};
  if (record.at.iteration != kEndOfEpoch) json["iteration"] = record.at.iteration;
  if (!record.dataset.empty()) json["dataset"] = record.dataset;
  for (const auto& [name, value] : record.values) {
    VLREID_ASSERT(!json.contains(name));
    json[name] = value;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

RunLog::RunLog(const std::filesystem::path& path, const std::optional<RunPosition>& resume_after)
    : file_(path, bytes_to_keep(path, resume_after)) {}

void RunLog::write(const RunRecord& record) {
  file_.append(to_line(record) + '\n');
}

std::vector<RunRecord> read_run_log(const std::filesystem::path& path) {
  std::vector<RunRecord> records;
  for_each_record(path, [&](const RunRecord& record, std::size_t) {
    records.push_back(record);
    return true;
  });
  return records;
}

} // namespace vlreid
