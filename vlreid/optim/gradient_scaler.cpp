#include "vlreid/optim/gradient_scaler.h"

#include "vlreid/base/error.h"

#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
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

GradientScaler::GradientScaler(GradientScalerOptions options)
    : options_(options), scale_(options.enabled ? options.initial_scale : 1) {}

at::Tensor GradientScaler::scale(const at::Tensor& loss) const {
  return options_.enabled ? loss * scale_ : loss;
}

bool GradientScaler::unscale(const Optimizer& optimizer) const {
  if (!options_.enabled) return true;
  std::vector<at::Tensor> gradients;
  for (const ParameterGroup& group : optimizer.groups())
    if (group.parameter.grad().defined()) gradients.push_back(group.parameter.grad());
  if (gradients.empty()) return true;
  const c10::NoGradGuard no_grad;
  const at::TensorOptions one_number = gradients.front().options().dtype(at::kFloat);
  at::Tensor found_inf = at::zeros({}, one_number);
  at::_amp_foreach_non_finite_check_and_unscale_(gradients, found_inf, at::full({}, 1 / scale_, one_number));
  return found_inf.item<float>() == 0;
}

void GradientScaler::update(bool finite) {
  if (!options_.enabled) return;
  if (!finite) {
    scale_ *= options_.backoff;
    good_steps_ = 0;
  } else if (++good_steps_ == options_.growth_interval) {
    const double grown = scale_ * options_.growth;
    if (std::isfinite(static_cast<float>(grown))) scale_ = grown;
    good_steps_ = 0;
  }
}

StateDict GradientScaler::state() const {
  StateDict state;
  state.add("scale", at::scalar_tensor(scale_, at::kDouble));
  state.add("good_steps", at::scalar_tensor(good_steps_, at::kLong));
  return state;
}

void GradientScaler::load(const StateDict& state, const std::string& place) {
  const double scale = number(state, "scale", place).item<double>();
  VLREID_REQUIRE(scale > 0 && std::isfinite(scale), ErrorKind::data, .place = place,
                 .found = "loss scale " + std::to_string(scale), .expected = "a number above 0",
                 .remedy = "the training state is damaged: start again from the last checkpoint");
  good_steps_ = number(state, "good_steps", place).item<std::int64_t>();
  if (options_.enabled) scale_ = scale;
}

} // namespace vlreid
