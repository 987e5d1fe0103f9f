#include "vlreid/train/stage_trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "vlreid/base/error.h"
#include "vlreid/tensor/span.h"
#include "vlreid/train/trainable.h"

namespace vlreid {
namespace {

constexpr const char* kCenters = "centers";
constexpr const char* kMemoryLoss = "memory_triplet";

// Autocast for the life of the object; the cache of cast weights ends with it.
class AutocastScope {
public:
  AutocastScope(at::DeviceType device, Precision precision)
      : device_(device), is_on_(precision != Precision::f32) {
    if (!is_on_) return;
    was_on_ = at::autocast::is_autocast_enabled(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, precision == Precision::bf16 ? at::kBFloat16 : at::kHalf);
    at::autocast::increment_nesting();
  }
  ~AutocastScope() {
    if (!is_on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, was_on_);
  }
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

private:
  at::DeviceType device_;
  bool is_on_, was_on_ = false;
};

// Losses are computed in float32 whatever the forward pass has.
void widen(LossInputs& inputs) {
  const auto wide = [](at::Tensor& tensor) {
    if (tensor.defined() && tensor.is_floating_point()) tensor = tensor.to(at::kFloat);
  };
  for (std::vector<at::Tensor>* list : {&inputs.scores, &inputs.metric_features})
    for (at::Tensor& tensor : *list)
      wide(tensor);
  for (at::Tensor* tensor :
       {&inputs.feature, &inputs.proj, &inputs.frozen_feature, &inputs.frozen_proj, &inputs.text_logits,
        &inputs.image_features, &inputs.text_features, &inputs.logit_scale})
    wide(*tensor);
}

// [] float32, undefined without logits.
at::Tensor accuracy_of(const LossInputs& inputs) {
  const at::Tensor logits = inputs.text_logits.defined() ? inputs.text_logits
                            : inputs.scores.empty()      ? at::Tensor()
                                                         : inputs.scores.front();
  if (!logits.defined()) return {};
  return (logits.detach().argmax(1) == inputs.labels).to(at::kFloat).mean();
}

at::Device device_of(const ReidModel& model) {
  return model.parameters().front().device();
}

} // namespace

StageTrainer::StageTrainer(ReidModel& model, const Stage& stage, const StageTrainerOptions& options)
    : model_(model), stage_(stage), options_(options), step_(steps().at(stage.step)(model, stage)),
      optimizer_(parameter_groups(model, stage.trains, stage.solver,
                                  {.decays_vectors = !stage.spares_vectors,
                                   .encoder_weight_decay = stage.encoder_weight_decay}),
                 {.name = stage.solver.optimizer, .momentum = stage.solver.momentum}),
      schedule_(schedules().at(stage.schedule)(schedule_options(stage.solver))) {
  if (options.precision == Precision::f16) scaler_.emplace(GradientScalerOptions{}, device_of(model));
  if (stage.average) average_.emplace(model, *stage.average, stage.solver.max_epochs);
  if (has_loss(stage, kMemoryLoss))
    for (int set = 0; set < (model.has_second() ? 2 : 1); ++set)
      memories_.emplace_back(stage.solver.batch_size, model.image_encoder().embed_width(), device_of(model));
  if (has_loss(stage, "center")) {
    const std::int64_t width = model.image_encoder().feature_width();
    centers_ = at::randn({model.identities(), width}, at::make_generator<at::CPUGeneratorImpl>(options.seed),
                         at::TensorOptions())
                   .to(device_of(model))
                   .requires_grad_(true);
    center_optimizer_.emplace(std::vector<ParameterGroup>{{.name = kCenters, .parameter = centers_}},
                              OptimizerOptions{.name = "SGD", .momentum = 0});
  }
}

StepReport UnreadReport::read() const {
  const at::Tensor here = numbers.to(at::kCPU);
  const std::span<const float> values = span_of<float>(here);
  StepReport report{.loss = values[0], .images = images};
  for (std::size_t i = 0; i < terms.size(); ++i)
    report.terms.emplace_back(terms[i], values[1 + i]);
  if (has_accuracy) report.accuracy = values.back();
  return report;
}

UnreadReport StageTrainer::add_losses(const LossInputs& inputs, std::int64_t epoch, at::Tensor& total) const {
  UnreadReport report;
  std::vector<at::Tensor> numbers(1); // the total is first
  for (const LossTerm& term : stage_.losses) {
    if (epoch < term.first_epoch) continue;
    const at::Tensor value = losses().at(term.loss)(inputs, stage_.loss_options);
    report.terms.push_back(term.loss);
    numbers.push_back(value.detach());
    const at::Tensor weighted = term.weight * value;
    total = total.defined() ? total + weighted : weighted;
  }
  numbers.front() = total.detach();
  const at::Tensor accuracy = accuracy_of(inputs);
  report.has_accuracy = accuracy.defined();
  if (report.has_accuracy) numbers.push_back(accuracy);
  report.numbers = at::stack(numbers);
  return report;
}

// The memory begins with the loss: features of long ago would be those of another encoder.
void StageTrainer::remember(LossInputs& inputs, const Batch& batch, std::int64_t epoch) {
  const auto is_due = [&](const LossTerm& term) {
    return term.loss == kMemoryLoss && epoch >= term.first_epoch;
  };
  if (std::ranges::any_of(stage_.losses, is_due))
    inputs.memory = memories_[static_cast<std::size_t>(batch.set)].with(inputs.proj, inputs.labels);
}

UnreadReport StageTrainer::enqueue(const Batch& batch, std::int64_t epoch, double share) {
  const at::AutoGradMode with_gradients(true);
  UnreadReport report;
  at::Tensor loss;
  {
    const AutocastScope autocast(device_of(model_).type(), options_.precision);
    LossInputs inputs = step_->forward(batch);
    widen(inputs);
    inputs.centers = centers_;
    remember(inputs, batch, epoch);
    report = add_losses(inputs, epoch, loss);
  }
  report.images = static_cast<std::int64_t>(batch.items.size());
  const at::Tensor is_broken = loss.detach().isfinite().logical_not().to(at::kFloat);
  is_broken_ = is_broken_.defined() ? is_broken_.maximum(is_broken) : is_broken;
  at::Tensor scaled = options_.accumulate > 1 ? loss / static_cast<double>(options_.accumulate) : loss;
  if (scaler_) scaled = scaler_->scale(scaled);
  scaled.backward();
  if (++gathered_ == options_.accumulate) update(rate(epoch, share));
  return report;
}

void StageTrainer::update(double rate) {
  gathered_ = 0;
  at::Tensor is_broken = std::exchange(is_broken_, {});
  if (scaler_) {
    at::Tensor is_infinite = scaler_->unscale(optimizer_);
    if (center_optimizer_) is_infinite = is_infinite.maximum(scaler_->unscale(*center_optimizer_));
    scaler_->update(is_infinite);
    is_broken = is_broken.defined() ? is_broken.maximum(is_infinite) : is_infinite;
  }
  optimizer_.step(rate, 1, is_broken);
  if (center_optimizer_) update_centers(is_broken);
  step_->after_update();
  optimizer_.zero_grad();
  if (center_optimizer_) center_optimizer_->zero_grad();
}

// COMPAT: the centres move as if their loss had weight 1.
void StageTrainer::update_centers(const at::Tensor& is_broken) {
  for (const LossTerm& term : stage_.losses)
    if (term.loss == "center" && term.weight != 0)
      center_optimizer_->step(stage_.solver.center_learning_rate, 1 / term.weight, is_broken);
}

void StageTrainer::finish_epoch(std::int64_t epoch) {
  if (gathered_ > 0) update(rate(epoch));
  if (average_) average_->finish_epoch(epoch);
}

std::string StageTrainer::broken_parameter() const {
  for (const ParameterGroup& group : optimizer_.groups())
    if (!group.parameter.detach().isfinite().all().item<bool>()) return group.name;
  return "";
}

namespace {

void add_below(StateDict& state, const std::string& prefix, const StateDict& part) {
  for (const auto& [name, tensor] : part)
    state.add(prefix + name, tensor);
}

std::string memory_name(std::size_t set) {
  return "memory." + std::to_string(set) + ".";
}

} // namespace

StateDict StageTrainer::state() const {
  StateDict state;
  add_below(state, "optimizer.", optimizer_.state());
  if (scaler_) add_below(state, "scaler.", scaler_->state());
  if (average_) add_below(state, "average.", average_->state());
  for (std::size_t set = 0; set < memories_.size(); ++set)
    add_below(state, memory_name(set), memories_[set].state());
  if (centers_.defined()) state.add(kCenters, centers_.detach());
  if (gathered_ > 0)
    for (const ParameterGroup& group : optimizer_.groups())
      if (group.parameter.grad().defined()) state.add("gradient." + group.name, group.parameter.grad());
  state.add("gathered", at::scalar_tensor(gathered_, at::kLong));
  return state;
}

void StageTrainer::load(const StateDict& state, const std::string& place) {
  const c10::NoGradGuard no_gradients;
  optimizer_.load(state.below("optimizer."), place);
  if (scaler_) scaler_->load(state.below("scaler."), place);
  if (average_) average_->load(state.below("average."));
  for (std::size_t set = 0; set < memories_.size(); ++set)
    memories_[set].load(state.below(memory_name(set)));
  if (centers_.defined()) centers_.copy_(state.at(kCenters));
  gathered_ = state.at("gathered").item<std::int64_t>();
  for (const ParameterGroup& group : optimizer_.groups())
    if (const at::Tensor* gradient = state.find("gradient." + group.name)) {
      at::Tensor parameter = group.parameter;
      parameter.mutable_grad() = gradient->to(parameter.device(), /*non_blocking=*/false, /*copy=*/true);
    }
}

} // namespace vlreid
