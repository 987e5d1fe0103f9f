// Adam, AdamW and SGD over ATen's fused kernels, one group per tensor as the references have it. The state
// (moments, step counts) is a StateDict, so that a resumed run continues bit-equal. Not thread safe.
#pragma once

#include "vlreid/weights/state_dict.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

struct ParameterGroup {
  std::string name; // of the tensor in the checkpoint
  at::Tensor parameter;
  double rate_factor = 1; // times the schedule's rate: BIAS_LR_FACTOR for biases
  double weight_decay = 0;
};

struct OptimizerOptions {
  std::string name = "Adam"; // Adam, AdamW, SGD, as SOLVER...OPTIMIZER_NAME spells them
  double momentum = 0.9;     // of SGD
};

class Optimizer {
public:
  Optimizer(std::vector<ParameterGroup> groups, OptimizerOptions options);

  const std::vector<ParameterGroup>& groups() const { return groups_; }

  // Drops the gradients.
  void zero_grad();
  // One update with the gradients present (tensors without one stay as they are, as in PyTorch) at
  // `learning_rate` times each group's factor. inverse_scale multiplies the gradients first (loss scaling).
  // is_broken: [] float32 on the parameters' device; 1: nothing changes, 0 or undefined: an update. Reads
  // nothing on the host. Same result for any number of threads.
  void step(double learning_rate, double inverse_scale = 1, const at::Tensor& is_broken = {});

  // "NAME.exp_avg", "NAME.exp_avg_sq", "NAME.momentum", "NAME.step". The tensors are the optimiser's own.
  StateDict state() const;
  // Copies values in. Errors (data, with `place`): names or shapes that do not fit.
  void load(const StateDict& state, const std::string& place);

private:
  struct Slot {
    at::Tensor first, second; // moments; SGD: momentum buffer in `first`
    at::Tensor step;          // [] float32, on the device of its parameter
  };
  // A tensor of a slot and how its name ends in the state.
  struct Field {
    const char* suffix;
    at::Tensor Slot::*tensor;
  };
  struct Bucket;

  std::span<const Field> fields() const; // of this kind of optimiser
  void fill(Slot& slot, const at::Tensor& parameter) const;
  std::vector<Bucket> gather(); // everything that has a gradient
  struct Corrections;           // of one update's gradients
  void update(Bucket& bucket, double rate, const Corrections& corrections) const;

  std::vector<ParameterGroup> groups_;
  OptimizerOptions options_;
  std::vector<Slot> slots_; // empty until the first step that has a gradient
};

} // namespace vlreid
