#include "vlreid/optim/optimizer.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <c10/util/StringUtil.h>
#include <set>
#include <tuple>

namespace vlreid {

namespace {

// PyTorch's defaults, which the references keep.
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
constexpr const char* kResumeRemedy = "resume with the configuration that the run was started with";

// The fused kernels walk raw memory, so the gradient must lie as its parameter does.
at::Tensor laid_out_like(const at::Tensor& gradient, const at::Tensor& parameter) {
  if (gradient.strides() == parameter.strides()) return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

} // namespace

// Tensors that one call of a fused kernel updates: same type, device, rate and decay.
struct Optimizer::Bucket {
  std::vector<at::Tensor> parameters, gradients, first, second, steps;
  double rate_factor = 1, weight_decay = 0;
};

// In the form that the fused kernels take.
struct Optimizer::Corrections {
  std::optional<at::Tensor> scale = {};     // the gradients are divided by it
  std::optional<at::Tensor> is_broken = {}; // 1: no update
};

Optimizer::Optimizer(std::vector<ParameterGroup> groups, OptimizerOptions options)
    : groups_(std::move(groups)), options_(std::move(options)), slots_(groups_.size()) {
  const std::vector<std::string> known = {"Adam", "AdamW", "SGD"};
  VLREID_REQUIRE(std::find(known.begin(), known.end(), options_.name) != known.end(), ErrorKind::config,
                 .place = "OPTIMIZER_NAME", .found = "unknown optimiser '" + options_.name + "'",
                 .expected = "one of " + join(known, ", "),
                 .remedy = "did you mean '" + nearest(options_.name, known) + "'?");
  std::set<std::string> names;
  for (const ParameterGroup& group : groups_) {
    const bool is_new = names.insert(group.name).second;
    VLREID_ASSERT(is_new);
    VLREID_ASSERT(group.parameter.is_non_overlapping_and_dense());
  }
}

void Optimizer::zero_grad() {
  for (ParameterGroup& group : groups_)
    group.parameter.mutable_grad().reset();
}

std::span<const Optimizer::Field> Optimizer::fields() const {
  static const Field momentum[] = {{".momentum", &Slot::first}};
  static const Field moments[] = {
      {".exp_avg", &Slot::first}, {".exp_avg_sq", &Slot::second}, {".step", &Slot::step}};
  if (options_.name == "SGD") return momentum;
  return moments;
}

void Optimizer::fill(Slot& slot, const at::Tensor& parameter) const {
  const at::Tensor data = parameter.detach();
  for (const Field& field : fields()) {
    slot.*field.tensor =
        field.tensor == &Slot::step ? at::zeros({}, data.options().dtype(at::kFloat)) : at::zeros_like(data);
  }
}

std::vector<Optimizer::Bucket> Optimizer::gather() {
  using Key = std::tuple<at::ScalarType, std::string, double, double>;
  std::map<Key, Bucket> buckets;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const auto& [name, parameter, rate_factor, weight_decay] = groups_[i];
    if (!parameter.grad().defined()) continue;
    Slot& slot = slots_[i];
    if (!slot.first.defined()) fill(slot, parameter);
    Bucket& bucket = buckets[{parameter.scalar_type(), parameter.device().str(), rate_factor, weight_decay}];
    bucket.rate_factor = rate_factor;
    bucket.weight_decay = weight_decay;
    bucket.parameters.push_back(parameter);
    bucket.gradients.push_back(laid_out_like(parameter.grad(), parameter));
    bucket.first.push_back(slot.first);
    bucket.second.push_back(slot.second);
    bucket.steps.push_back(slot.step);
  }
  std::vector<Bucket> gathered;
  for (auto& [key, bucket] : buckets)
    gathered.push_back(std::move(bucket));
  return gathered;
}

void Optimizer::update(Bucket& bucket, double rate, const Corrections& corrections) const {
  if (options_.name == "SGD") {
    // A buffer of zeros makes the first step like every other: momentum * 0 + gradient.
    const at::TensorList buffers = options_.momentum == 0 ? at::TensorList() : at::TensorList(bucket.first);
    at::_fused_sgd_(bucket.parameters, bucket.gradients, buffers, bucket.weight_decay, options_.momentum,
                    rate, /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false, /*is_first_step=*/false,
                    corrections.scale, corrections.is_broken);
    return;
  }
  if (corrections.is_broken)
    at::_foreach_add_(bucket.steps, 1 - *corrections.is_broken);
  else
    at::_foreach_add_(bucket.steps, 1);
  const auto run = [&](auto kernel) {
    kernel(bucket.parameters, bucket.gradients, bucket.first, bucket.second, at::TensorList(), bucket.steps,
           rate, kBeta1, kBeta2, bucket.weight_decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false,
           corrections.scale, corrections.is_broken);
  };
  if (options_.name == "AdamW")
    run([](const auto&... arguments) { at::_fused_adamw_(arguments...); });
  else
    run([](const auto&... arguments) { at::_fused_adam_(arguments...); });
}

void Optimizer::step(double learning_rate, double inverse_scale, const at::Tensor& is_broken) {
  const c10::NoGradGuard no_grad;
  Corrections corrections;
  if (is_broken.defined()) corrections.is_broken = is_broken;
  for (Bucket& bucket : gather()) {
    if (inverse_scale != 1)
      corrections.scale =
          at::full({}, 1 / inverse_scale, bucket.parameters.front().options().dtype(at::kFloat));
    update(bucket, learning_rate * bucket.rate_factor, corrections);
  }
}

StateDict Optimizer::state() const {
  StateDict state;
  for (std::size_t i = 0; i < groups_.size(); ++i)
    for (const Field& field : fields())
      if (const at::Tensor& tensor = slots_[i].*field.tensor; tensor.defined())
        state.add(groups_[i].name + field.suffix, tensor);
  return state;
}

void Optimizer::load(const StateDict& state, const std::string& place) {
  std::vector<Slot> loaded(groups_.size());
  std::set<std::string> used;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (!state.has(groups_[i].name + fields().front().suffix)) continue; // it never had a gradient
    fill(loaded[i], groups_[i].parameter);
    for (const Field& field : fields()) {
      const std::string name = groups_[i].name + field.suffix;
      const at::Tensor* stored = state.find(name);
      const at::IntArrayRef expected = (loaded[i].*field.tensor).sizes();
      VLREID_REQUIRE(stored != nullptr && stored->sizes() == expected, ErrorKind::data, .place = place,
                     .found = name + (stored ? ": " + c10::str(stored->sizes()) : " is missing"),
                     .expected = c10::str(expected), .remedy = kResumeRemedy);
      (loaded[i].*field.tensor).copy_(*stored);
      used.insert(name);
    }
  }
  for (const auto& [name, tensor] : state)
    VLREID_REQUIRE(used.contains(name), ErrorKind::data, .place = place,
                   .found = "optimiser state '" + name + "'",
                   .expected = "state of " + options_.name + " for the tensors that this run trains",
                   .remedy = kResumeRemedy);
  slots_ = std::move(loaded);
}

} // namespace vlreid
