// The folder of a run: who writes to it, under which names, and what a resumed run cuts off again.
#pragma once

#include "vlreid/base/file_lock.h"
#include "vlreid/report/run_log.h"
#include "vlreid/report/tensorboard.h"
#include "vlreid/train/recipe.h"
#include "vlreid/train/run_state.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace vlreid {

class RunFolder {
public:
  struct Options {
    bool resumes = false, overwrites = false;
    // A run that has just finished the stages before this one is gone on with in any case.
    std::optional<std::size_t> first_stage = {};
  };
  // Makes the folder, locks it, and reads the state to resume from. Errors: locked; cannot_create when a run
  // is there and neither flag is set; config when the state belongs to other options.
  RunFolder(const Config& config, const Options& options);

  const std::filesystem::path& path() const { return path_; }
  // The state to go on from; none for a new run.
  const std::optional<RunState>& state() const { return state_; }
  void forget_state() { state_.reset(); } // its tensors are big
  std::filesystem::path checkpoint(const Stage& stage, std::int64_t epoch) const;
  std::filesystem::path best_checkpoint() const;

  // Everything of one moment: metrics.jsonl (or timing.jsonl) and TensorBoard.
  void record(const RunRecord& record);
  void save(RunState state);
  // The events of a stage go to a folder of their own, tensorboard/stage1.
  void begin_stage(const Stage& stage, std::int64_t iterations_per_epoch);
  // report.html, from everything that is recorded.
  void write_page() const;

private:
  std::filesystem::path path_;
  std::string name_;   // MODEL.NAME
  std::string config_; // as YAML
  FileLock lock_;
  std::optional<RunState> state_;
  std::optional<RunPosition> resume_after_;
  std::unique_ptr<RunLog> metrics_, timings_;
  std::unique_ptr<TensorBoardWriter> events_;
};

} // namespace vlreid
