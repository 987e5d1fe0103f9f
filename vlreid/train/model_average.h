// A model averaged over the epochs of a stage with given weights: PromptSRC's Gaussian aggregation
// (spec/multimodal.md, section 6). What learns and what moves with it (statistics of the necks) is averaged;
// counters are cut to whole numbers. COMPAT: the reference's stage 1 takes up the average one epoch early,
// which shrinks every tensor; here the stage ends with it.
#pragma once

#include "vlreid/reid/model.h"
#include "vlreid/train/recipe.h"

#include <vector>

namespace vlreid {

// Of epochs 1..epochs, in that order; their sum is 1.
std::vector<double> epoch_weights(const EpochAverage& average, std::int64_t epochs);

class ModelAverage {
public:
  // Of what requires gradients now, and of all buffers, as far as they are in the part. REQUIRES: `model`
  // outlives this.
  ModelAverage(const ReidModel& model, const EpochAverage& average, std::int64_t epochs);

  // After each epoch, from 1: adds the model as it is; after the last one the model becomes the average.
  void finish_epoch(std::int64_t epoch);

  // The sums so far, by name. The tensors are this object's own.
  StateDict state() const { return sums_; }
  void load(const StateDict& state);

private:
  std::vector<double> weights_;
  StateDict members_; // the model's own tensors
  StateDict sums_;
};

} // namespace vlreid
