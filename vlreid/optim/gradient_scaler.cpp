#include "vlreid/optim/gradient_scaler.h"

#include "vlreid/base/error.h"

#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_amp_update_scale.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <cmath>

namespace vlreid {

namespace {

// A tensor with one number; an error names the place.
const at::Tensor& number(const StateDict& state, const std::string& name, const std::string& place) {
  const at::Tensor* tensor = state.find(name);
  VLREID_REQUIRE(tensor != nullptr && tensor->numel() == 1, ErrorKind::data, .place = place,
                 .found = "loss scaling without its number '" + name + "'",
                 .remedy = "the training state is damaged: start again from the last checkpoint");
  return *tensor;
}

} // namespace

GradientScaler::GradientScaler(GradientScalerOptions options, at::Device device)
    : options_(options), scale_(at::full({}, options.enabled ? options.initial_scale : 1,
                                         at::TensorOptions().dtype(at::kFloat).device(device))),
      good_steps_(at::zeros({}, scale_.options().dtype(at::kInt))) {}

double GradientScaler::scale() const {
  return scale_.item<double>();
}

at::Tensor GradientScaler::scale(const at::Tensor& loss) const {
  return options_.enabled ? loss * scale_ : loss;
}

at::Tensor GradientScaler::unscale(const Optimizer& optimizer) const {
  const c10::NoGradGuard no_grad;
  at::Tensor is_broken = at::zeros({}, scale_.options());
  if (!options_.enabled) return is_broken;
  std::vector<at::Tensor> gradients;
  for (const ParameterGroup& group : optimizer.groups())
    if (group.parameter.grad().defined()) gradients.push_back(group.parameter.grad());
  if (!gradients.empty())
    at::_amp_foreach_non_finite_check_and_unscale_(gradients, is_broken, scale_.reciprocal());
  return is_broken;
}

// The kernel keeps a scale whose growth would not be finite.
void GradientScaler::update(const at::Tensor& is_broken) {
  if (!options_.enabled) return;
  at::_amp_update_scale_(scale_, good_steps_, is_broken, options_.growth, options_.backoff,
                         options_.growth_interval);
}

StateDict GradientScaler::state() const {
  StateDict state;
  state.add("scale", scale_.to(at::kDouble));
  state.add("good_steps", good_steps_.to(at::kLong));
  return state;
}

void GradientScaler::load(const StateDict& state, const std::string& place) {
  const double scale = number(state, "scale", place).item<double>();
  VLREID_REQUIRE(scale > 0 && std::isfinite(scale), ErrorKind::data, .place = place,
                 .found = "loss scale " + std::to_string(scale), .expected = "a number above 0",
                 .remedy = "the training state is damaged: start again from the last checkpoint");
  good_steps_.fill_(number(state, "good_steps", place).item<std::int64_t>());
  if (options_.enabled) scale_.fill_(scale);
}

} // namespace vlreid
