#include "vlreid/train/run_folder.h"

#include <fmt/format.h>

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/log.h"
#include "vlreid/base/strings.h"
#include "vlreid/report/run_page.h"

namespace vlreid {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLogFile = "train_log.txt";
constexpr const char* kLockFile = ".lock";
constexpr const char* kEventsFolder = "tensorboard";

const fs::path& made(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  VLREID_REQUIRE(!error, ErrorKind::cannot_create, folder.string(), error.message(),
                 "a folder that can be made", "set OUTPUT_DIR");
  return folder;
}

// What a killed run was writing; the lock says that nobody writes it any more.
void remove_unfinished_files(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.path().filename().native().starts_with('.') && entry.path().extension() == ".tmp")
      fs::remove(entry.path());
}

// The first line in which two effective configurations differ.
std::string first_difference(const std::string& before, const std::string& now) {
  const std::vector<std::string> a = split(before, '\n'), b = split(now, '\n');
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (a[i] != b[i]) return fmt::format("'{}' instead of '{}'", b[i], a[i]);
  return "another number of options";
}

} // namespace

RunFolder::RunFolder(const Config& config, const Options& options)
    : path_(made(config.output_dir)), name_(config.model.name), config_(to_yaml(config)),
      lock_(path_ / kLockFile) {
  remove_unfinished_files(path_);
  const bool has_run = fs::exists(path_ / kStateFile) || fs::exists(path_ / kMetricsFile);
  if (options.resumes || options.first_stage) state_ = load_run_state(path_ / kStateFile);
  const bool is_between = state_ && state_->trainer.empty() && state_->place.stage == options.first_stage;
  if (!options.resumes && (!is_between || options.overwrites)) state_.reset();
  VLREID_REQUIRE(!has_run || options.resumes || options.overwrites || is_between, ErrorKind::cannot_create,
                 path_.string(), "a training run is in this folder", "an empty folder",
                 "add --resume to go on with it, --overwrite to begin again, or set another OUTPUT_DIR");
  if (!state_) fs::remove(path_ / kStateFile);
  VLREID_REQUIRE(!state_ || state_->config == config_, ErrorKind::config, (path_ / kStateFile).string(),
                 "a run with other options: " + (state_ ? first_difference(state_->config, config_) : ""),
                 "the options that the run was started with",
                 "leave out --resume for a new run in another OUTPUT_DIR");
  // The log continues where the state was saved, so that nothing is in it twice.
  const fs::path log = path_ / kLogFile;
  if (fs::exists(log))
    fs::resize_file(log, std::min<std::uintmax_t>(fs::file_size(log), state_ ? state_->log_bytes : 0));
  open_log_file(log);
  write_file(path_ / kConfigFile, config_);
}

fs::path RunFolder::checkpoint(const Stage& stage, std::int64_t epoch) const {
  return path_ / fmt::format("{}{}_{}.pth", name_, stage.file_suffix, epoch);
}

fs::path RunFolder::best_checkpoint() const {
  return path_ / (name_ + "_best.pth");
}

void RunFolder::begin_stage(const Stage& stage, std::int64_t iterations_per_epoch) {
  // What stands in the files up to here is kept: everything before this stage, or up to the saved batch.
  const bool continues = metrics_ != nullptr;
  std::optional<RunPosition> keep;
  if (state_)
    keep = RunPosition{.stage = stage.number,
                       .epoch = static_cast<int>(state_->place.epoch),
                       .iteration = static_cast<int>(state_->place.batch)};
  // --stage 2 in the folder of stage 1 keeps what that has written.
  if (!keep && !continues && stage.number > 1)
    keep = RunPosition{.stage = stage.number - 1, .epoch = kEndOfEpoch};
  if (!keep && !continues) fs::remove_all(path_ / kEventsFolder); // of a run that is begun again
  if (!continues) {
    metrics_ = std::make_unique<RunLog>(path_ / kMetricsFile, keep);
    timings_ = std::make_unique<RunLog>(path_ / kTimingFile, keep);
  }
  events_ = std::make_unique<TensorBoardWriter>(
      path_ / kEventsFolder / ("stage" + std::to_string(stage.number)),
      TensorBoardOptions{.iterations_per_epoch = static_cast<int>(iterations_per_epoch),
                         .resume_after = keep});
}

void RunFolder::record(const RunRecord& record) {
  (record.kind == RecordKind::timing ? timings_ : metrics_)->write(record);
  events_->write(record);
}

void RunFolder::save(RunState state) {
  metrics_->sync();
  state.config = config_;
  state.log_bytes = fs::file_size(path_ / kLogFile);
  save_run_state(path_ / kStateFile, state);
}

void RunFolder::write_page() const {
  const std::vector<std::string> folders = {path_.string()};
  write_run_page(path_ / kRunPageFile, load_runs(folders));
  log_info("vlreid", fmt::format("done: {}", (path_ / kRunPageFile).string()));
}

} // namespace vlreid
