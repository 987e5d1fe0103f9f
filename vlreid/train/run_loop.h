// The epochs of a run, whatever it trains: batches -> updates, log lines, records, checkpoints, scores when
// they are due, and the state that a stopped run goes on from. What is trained, on what, and how it is scored
// is the caller's (run.cpp: the stages of a method; pretrain.cpp: images and captions).
//
//     RunLoop loop(folder, model, hooks, 600);
//     loop.begin(0);                                   // or where the folder's state says
//     for (; loop.place().stage < stages.size(); loop.next_stage())
//       loop.run_stage(stage, trainer, source, seed);
#pragma once

#include "vlreid/train/batch_source.h"
#include "vlreid/train/evaluation.h"
#include "vlreid/train/run_folder.h"
#include "vlreid/train/stage_trainer.h"

#include <chrono>
#include <functional>

namespace vlreid {

class Progress;

struct RunHooks {
  std::function<std::string(std::size_t item)> path_of; // of a training image, for messages
  std::function<StateDict()> checkpoint;                // what NAME_60.pth and NAME_best.pth hold
  std::string dataset = {};                             // that is scored, in records
  // Scores of the model as it is; none: there is nothing to score on.
  std::function<Evaluation(bool is_last)> evaluate = {};
};

class RunLoop {
public:
  // REQUIRES: `folder` outlives this.
  RunLoop(RunFolder& folder, std::shared_ptr<ReidModel> model, RunHooks hooks, double save_every_seconds);

  // The first stage of a new run; a folder with a state fills the model and says the place itself.
  void begin(std::size_t first_stage, const std::vector<Stage>& stages);
  const RunPlace& place() const { return place_; }

  // From place() to the end of the stage.
  void run_stage(const Stage& stage, StageTrainer& trainer, BatchSource& source, std::uint64_t seed);
  // Saves the place between two stages.
  void next_stage();

private:
  void run_epoch(const Stage& stage, StageTrainer& trainer, BatchSource& source, Progress& progress);
  void run_batch(const Stage& stage, StageTrainer& trainer, const Batch& batch, std::int64_t batches);
  // Reads what steps have reported since the last time, all at once: the only wait for the device between two
  // evaluations.
  void settle();
  void log_batch(const Stage& stage, const StageTrainer& trainer, std::int64_t batches);
  void end_epoch(const Stage& stage, const StageTrainer& trainer, double seconds, double waited,
                 std::int64_t images);
  void record_epoch(const Stage& stage, const StageTrainer& trainer, double seconds, double waited,
                    std::int64_t images);
  void after_batch(const StageTrainer& trainer);
  void evaluate(const Stage& stage, bool is_last);
  void save(const StateDict& trainer);
  // Weights that an update has spoiled must not replace good ones in a file.
  void require_finite(const StageTrainer& trainer) const;

  // A step that the device may not have finished.
  struct Unsettled {
    UnreadReport report;
    std::vector<std::size_t> items;
    RunPlace place; // after the step
    int stage;      // number
  };
  [[noreturn]] void diverged(const Unsettled& step, double loss) const;

  RunFolder& folder_;
  std::shared_ptr<ReidModel> model_;
  RunHooks hooks_;
  double save_every_seconds_;
  std::uint64_t seed_ = 0; // of the stage
  RunPlace place_;
  EpochMeans means_;
  double best_map_ = -1;
  StepReport last_report_;
  std::vector<Unsettled> unsettled_;
  std::chrono::steady_clock::time_point last_save_;
};

} // namespace vlreid
