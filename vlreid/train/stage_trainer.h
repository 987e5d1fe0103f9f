// One stage's learning: a batch in, one update of the weights out. Holds losses, optimiser, schedule and loss
// scaling; whoever calls decides about batches, files and logs.
#pragma once

#include "vlreid/optim/gradient_scaler.h"
#include "vlreid/optim/optimizer.h"
#include "vlreid/optim/schedule.h"
#include "vlreid/train/batch_memory.h"
#include "vlreid/train/model_average.h"
#include "vlreid/train/precision.h"
#include "vlreid/train/recipe.h"
#include "vlreid/train/step.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vlreid {

struct StepReport {
  double loss = 0;                                        // the sum that was minimised
  std::vector<std::pair<std::string, double>> terms = {}; // each loss before its weight
  std::optional<double> accuracy = {};                    // of the text logits, else of the first classifier
  std::int64_t images = 0;
};

// The same on the device, where the step may still be going on.
struct UnreadReport {
  at::Tensor numbers;             // [1 + terms] float32, and the accuracy if there is one: as in StepReport
  std::vector<std::string> terms; // names
  bool has_accuracy = false;
  std::int64_t images = 0;

  // Waits for the step.
  StepReport read() const;
};

struct StageTrainerOptions {
  Precision precision = Precision::f32;
  std::int64_t accumulate = 1; // batches whose gradients are averaged for one update
  std::uint64_t seed = 1234;   // of the centres' first values
};

class StageTrainer {
public:
  // Switches gradients and training mode of the model as the stage needs them. REQUIRES: `model` outlives
  // this.
  StageTrainer(ReidModel& model, const Stage& stage, const StageTrainerOptions& options = {});

  // Puts the model into the mode that the stage trains in: before the first step, and after every evaluation.
  void begin() const { step_->begin(); }

  // Forward, backward and, each `accumulate` batches, an update with the rate of `epoch` (from 1), put on the
  // device without waiting for it. A loss that is not finite updates nothing and is the report's loss.
  // `share`, in (0, 1]: how much of the epoch is done with this batch, for a rate that changes with every
  // step; 1 is the rate of the whole epoch.
  UnreadReport enqueue(const Batch& batch, std::int64_t epoch, double share = 1);
  // The same, done.
  StepReport step(const Batch& batch, std::int64_t epoch, double share = 1) {
    return enqueue(batch, epoch, share).read();
  }
  // At the end of an epoch: makes the update of a last incomplete group of batches; averages the model where
  // the stage says so.
  void finish_epoch(std::int64_t epoch);

  double rate(std::int64_t epoch, double share = 1) const {
    return schedule_(static_cast<double>(epoch - 1) + share);
  }
  // The first learning tensor with a number that is not finite; "" when there is none.
  std::string broken_parameter() const;
  bool uses_cached_features() const { return step_->uses_cached_features(); }
  const Optimizer& optimizer() const { return optimizer_; }
  const at::Tensor& centers() const { return centers_; } // [I, D], undefined without that loss

  // Everything that learning needs beside the model: "optimizer.*", "centers", "scaler.*", "average.*",
  // "memory.SET.*", and the gradients of an unfinished group of batches ("gradient.*").
  StateDict state() const;
  void load(const StateDict& state, const std::string& place);

private:
  UnreadReport add_losses(const LossInputs& inputs, std::int64_t epoch, at::Tensor& total) const;
  void remember(LossInputs& inputs, const Batch& batch, std::int64_t epoch);
  void update(double rate);
  void update_centers(const at::Tensor& is_broken);

  ReidModel& model_;
  Stage stage_;
  StageTrainerOptions options_;
  std::unique_ptr<Step> step_;
  Optimizer optimizer_;
  std::optional<Optimizer> center_optimizer_;
  std::optional<GradientScaler> scaler_;
  std::optional<ModelAverage> average_;
  Schedule schedule_;
  std::vector<BatchMemory> memories_; // of each set; none without a loss over them
  at::Tensor centers_;
  std::int64_t gathered_ = 0; // batches since the last update
  at::Tensor is_broken_;      // [] float32, 1: the loss of one of them is not finite
};

} // namespace vlreid
