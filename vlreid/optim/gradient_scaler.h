// Dynamic loss scaling for float16: the loss is multiplied by a power of two so that small gradients do not
// vanish, and the power follows what the gradients bear (Micikevicius et al. 2018; constants of PyTorch's
// GradScaler).
//
//     scaler.scale(loss).backward();
//     const at::Tensor is_broken = scaler.unscale(optimizer);
//     optimizer.step(rate, 1, is_broken);
//     scaler.update(is_broken);
//
// Scale and verdicts are tensors on the device, so that nobody waits for it. When not enabled every call
// passes through: scale 1, no check. Not thread safe.
#pragma once

#include "vlreid/optim/optimizer.h"

#include <cstdint>

namespace vlreid {

struct GradientScalerOptions {
  bool enabled = true;
  double initial_scale = 65536;
  double growth = 2; // after `growth_interval` good steps in a row
  double backoff = 0.5;
  std::int64_t growth_interval = 2000;
};

class GradientScaler {
public:
  explicit GradientScaler(GradientScalerOptions options = {}, at::Device device = at::kCPU);

  double scale() const; // waits for the device
  at::Tensor scale(const at::Tensor& loss) const;

  // Divides the gradients of the optimiser's tensors by the scale, in place. [] float32, 1 when one of them
  // holds an infinity or NaN: then leave out the step.
  at::Tensor unscale(const Optimizer& optimizer) const;
  // Once after each step; is_broken: the largest of what unscale said for the optimisers of the step.
  void update(const at::Tensor& is_broken);

  // "scale" float64 [], "good_steps" int64 [].
  StateDict state() const;
  // Errors (data, with `place`): a missing number.
  void load(const StateDict& state, const std::string& place);

private:
  GradientScalerOptions options_;
  at::Tensor scale_;      // [] float32
  at::Tensor good_steps_; // [] int32, in a row
};

} // namespace vlreid
