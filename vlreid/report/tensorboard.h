// Event files that TensorBoard shows, written without its library: TFRecord frames
//
//     u64 length | u32 masked crc32c of the length | bytes | u32 masked crc32c of the bytes      (little
//     endian)
//
// each holding one protobuf message Event{wall_time = 1, step = 2, file_version = 3 | summary = 5 |
// session_log = 7}. Tags and units are torchreid's, so that its dashboards go on working: Train/time,
// Train/data, Train/loss, Train/acc (percent), Train/lr, Train/<term of the loss>, Test/rank1; ours besides:
// Test/mAP, Test/mINP. Stages count their steps from 0, so each has a folder of its own. Not thread safe.
#pragma once

#include "vlreid/report/append_file.h"
#include "vlreid/report/run_log.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

namespace vlreid {

struct TensorBoardOptions {
  int iterations_per_epoch = 1;
  // Of a resumed run: what earlier files of the folder hold behind this position is not shown.
  std::optional<RunPosition> resume_after = {};
};

class TensorBoardWriter {
public:
  // Begins a new file `events.out.tfevents.<seconds>.<host>.<process>.<number>` in the folder, which is made.
  explicit TensorBoardWriter(const std::filesystem::path& folder, const TensorBoardOptions& options);

  // train and timing: at step (epoch - 1) * iterations_per_epoch + iteration - 1; eval: at step epoch - 1, as
  // torchreid counts. Records of the kind epoch have no tag.
  void write(const RunRecord& record);
  void scalar(std::string_view tag, double value, std::int64_t step);
  void sync() { file_->sync(); }

private:
  // Steps done when the run is at this position.
  std::int64_t next_step(const RunPosition& at) const;
  void write_event(std::int64_t step, std::string_view payload);

  int iterations_per_epoch_;
  std::unique_ptr<AppendFile> file_;
};

} // namespace vlreid
