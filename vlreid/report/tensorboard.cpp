#include "vlreid/report/tensorboard.h"

#include "vlreid/base/error.h"
#include "vlreid/report/event_frames.h"

#include <array>
#include <chrono>
#include <fmt/format.h>
#include <unistd.h>

namespace vlreid {
namespace {

// Fields of tensorflow's event.proto and summary.proto.
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
constexpr int kSummaryValue = 1;
constexpr int kValueTag = 1, kValueSimple = 2;
constexpr int kSessionStatus = 1;
constexpr std::uint64_t kSessionStart = 1; // what other files hold from the event's step on is stale

// With torchreid's names and units: accuracies of training are percent there.
struct Tag {
  std::string name;
  double factor = 1;
};

Tag train_tag(std::string_view name) {
  if (name == "accuracy") return {"Train/acc", 100};
  if (name == "rate") return {"Train/lr"};
  return {fmt::format("Train/{}", name)};
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data() : "host";
}

// Two writers of one second and process (stages of a tiny run) must not share a file.
std::filesystem::path unused_file(const std::filesystem::path& folder) {
  const auto seconds = static_cast<std::int64_t>(seconds_since_1970());
  for (int number = 0;; ++number) {
    std::filesystem::path path =
        folder / fmt::format("events.out.tfevents.{}.{}.{}.{}", seconds, host_name(), ::getpid(), number);
    if (!std::filesystem::exists(path)) return path;
  }
}

std::filesystem::path made(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail_errno(error.value(), folder.string(), "cannot make the folder");
  return folder;
}

} // namespace

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder, const TensorBoardOptions& options)
    : iterations_per_epoch_(options.iterations_per_epoch),
      file_(std::make_unique<AppendFile>(unused_file(made(folder)), 0)) {
  std::string version;
  append_text(version, kFileVersion, "brain.Event:2");
  write_event(0, version);
  if (!options.resume_after) return;
  std::string start, session;
  append_number(session, kSessionStatus, kSessionStart);
  append_text(start, kSessionLog, session);
  write_event(next_step(*options.resume_after), start);
}

void TensorBoardWriter::write(const RunRecord& record) {
  if (record.kind == RecordKind::epoch) return;
  const bool is_eval = record.kind == RecordKind::eval;
  const std::int64_t step = is_eval ? record.at.epoch - 1 : next_step(record.at) - 1;
  for (const auto& [name, value] : record.values) {
    const Tag tag = is_eval ? Tag{fmt::format("Test/{}", name)} : train_tag(name);
    scalar(tag.name, value * tag.factor, step);
  }
}

void TensorBoardWriter::scalar(std::string_view tag, double value, std::int64_t step) {
  std::string named, summary, event;
  append_text(named, kValueTag, tag);
  append_float(named, kValueSimple, static_cast<float>(value));
  append_text(summary, kSummaryValue, named);
  append_text(event, kSummary, summary);
  write_event(step, event);
}

std::int64_t TensorBoardWriter::next_step(const RunPosition& at) const {
  const std::int64_t epochs_done = at.iteration == kEndOfEpoch ? at.epoch : at.epoch - 1;
  return epochs_done * iterations_per_epoch_ + (at.iteration == kEndOfEpoch ? 0 : at.iteration);
}

void TensorBoardWriter::write_event(std::int64_t step, std::string_view payload) {
  std::string event;
  append_double(event, kWallTime, seconds_since_1970());
  if (step != 0) append_number(event, kStep, static_cast<std::uint64_t>(step));
  event += payload;
  file_->append(frame(event));
}

} // namespace vlreid
