// The numbers of a training run, one JSON object a line, in the order in which they came:
//
//     {"kind":"train","stage":1,"epoch":3,"iteration":50,"loss":2.31,"accuracy":0.57,"rate":0.00035,"loss_i2t":1.1}
//     {"kind":"epoch","stage":1,"epoch":3,"loss":2.4,"accuracy":0.55,"rate":0.00035}
//     {"kind":"eval","stage":2,"epoch":60,"dataset":"market1501","mAP":0.89,"mINP":0.66,"rank1":0.95,...}
//
// metrics.jsonl holds what a killed and resumed run must repeat bit for bit; what differs between runs of the
// same job (seconds) goes to timing.jsonl, the same format with records of the kind "timing". Lines are
// written whole or not at all. One writer at a time.
#pragma once

#include "vlreid/report/append_file.h"

#include <compare>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vlreid {

inline constexpr const char* kMetricsFile = "metrics.jsonl";
inline constexpr const char* kTimingFile = "timing.jsonl";

// Of records about a whole epoch: after all of its iterations.
inline constexpr int kEndOfEpoch = std::numeric_limits<int>::max();

struct RunPosition {
  int stage = 0;               // from 1
  int epoch = 0;               // from 1
  int iteration = kEndOfEpoch; // within the epoch, from 1

  auto operator<=>(const RunPosition&) const = default;
};

enum class RecordKind { train, epoch, eval, timing };

// Values by name, in the order in which they are printed. The names that pages and TensorBoard know:
//   train, epoch: "loss", "accuracy" (0..1), "rate", and any others, which are terms of the loss
//   eval:         "mAP", "mINP", "rank1", "rank5", "rank10", all 0..1
//   timing:       "time" and "data", seconds a batch took, and of those waited for data; "images" a second
using NamedValues = std::vector<std::pair<std::string, double>>;

struct RunRecord {
  RecordKind kind = RecordKind::train;
  RunPosition at = {};
  std::string dataset = {}; // of evaluations
  NamedValues values = {};

  std::optional<double> value(std::string_view name) const;
  bool operator==(const RunRecord&) const = default;
};

// One line without its end. Numbers are the shortest texts that read back as the same double.
std::string to_line(const RunRecord& record);

class RunLog {
public:
  // Begins an empty file, or with `resume_after` goes on with what is there: the file is first cut behind the
  // last record at or before that position, so that what follows stands where it would have stood in a run
  // never stopped. A line torn by a crash is cut too. Any other broken line is ErrorKind::data.
  RunLog(const std::filesystem::path& path, const std::optional<RunPosition>& resume_after);

  // The line is with the system when this returns (it survives the program's death). ErrorKind::io leaves the
  // file without it. REQUIRES: positions never go back.
  void write(const RunRecord& record);
  // Durable: survives the machine's death too. For checkpoints.
  void sync() { file_.sync(); }

private:
  AppendFile file_;
};

// All records; an unfinished last line is left out. A broken line is ErrorKind::data with its number.
std::vector<RunRecord> read_run_log(const std::filesystem::path& path);

} // namespace vlreid
