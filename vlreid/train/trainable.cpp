#include "vlreid/train/trainable.h"

namespace vlreid {
namespace {

bool is_neck_bias(const std::string& name) {
  return name == "bottleneck.bias" || name == "bottleneck_proj.bias";
}

bool contains(const std::string& name, const char* part) {
  return name.find(part) != std::string::npos;
}

} // namespace

bool trains_everything(const std::string&) {
  return true;
}

bool trains_prompts(const std::string& parameter) {
  return parameter.starts_with("prompt_learner.");
}

bool trains_image(const std::string& parameter) {
  return !trains_prompts(parameter) && !parameter.starts_with("text_encoder.") && !is_neck_bias(parameter);
}

bool trains_lora(const std::string& parameter) {
  if (!trains_image(parameter)) return false;
  return parameter.starts_with("classifier") || parameter.starts_with("bottleneck") ||
         contains(parameter, "w_lora_") ||
         (parameter.starts_with("image_encoder.") && contains(parameter, "ln_"));
}

const Registry<TrainableSet>& trainable_sets() {
  static const Registry<TrainableSet> registry = [] {
    Registry<TrainableSet> made("trainable set");
#define VLREID_BUILTIN(name, description) made.add(#name, trains_##name, description);
#include "vlreid/train/trainable.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

std::vector<ParameterGroup> parameter_groups(ReidModel& model, const std::string& trainable_set,
                                             const TuningOptions& solver, bool decays_vectors) {
  const TrainableSet learns = trainable_sets().at(trainable_set);
  std::vector<ParameterGroup> groups;
  for (auto& item : model.named_parameters()) {
    const std::string& name = item.key();
    at::Tensor& parameter = item.value();
    parameter.requires_grad_(learns(name));
    parameter.mutable_grad() = at::Tensor();
    if (!learns(name)) continue;
    const bool is_bias = contains(name, "bias");
    double factor = is_bias ? solver.bias_rate_factor : 1;
    if (solver.large_classifier_rate && contains(name, "classifier")) factor = 2;
    const bool is_spared = !decays_vectors && parameter.dim() < 2;
    groups.push_back({.name = name,
                      .parameter = parameter,
                      .rate_factor = factor,
                      .weight_decay = is_spared ? 0
                                      : is_bias ? solver.bias_weight_decay
                                                : solver.weight_decay});
  }
  return groups;
}

} // namespace vlreid
