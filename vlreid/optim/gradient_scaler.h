// Dynamic loss scaling for float16: the loss is multiplied by a power of two so that small gradients do not
// vanish, and the power follows what the gradients bear (Micikevicius et al. 2018; constants of PyTorch's
// GradScaler).
//
//     scaler.scale(loss).backward();
//     const bool finite = scaler.unscale(optimizer);
//     if (finite) optimizer.step(rate);
//     scaler.update(finite);
//
// When not enabled every call passes through: scale 1, no check. Not thread safe.
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
  explicit GradientScaler(GradientScalerOptions options = {});

  double scale() const { return scale_; }
  at::Tensor scale(const at::Tensor& loss) const;

  // Divides the gradients of the optimiser's tensors by the scale, in place. False when one of them holds an
  // infinity or NaN: then leave out the step.
  bool unscale(const Optimizer& optimizer) const;
  // Once after each step; finite: what unscale said (of all optimisers of the step).
  void update(bool finite);

  // "scale" float64 [], "good_steps" int64 [].
  StateDict state() const;
  // Errors (data, with `place`): a missing number.
  void load(const StateDict& state, const std::string& place);

private:
  GradientScalerOptions options_;
  double scale_;
  std::int64_t good_steps_ = 0;
};

} // namespace vlreid
