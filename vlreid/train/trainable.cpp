#include "vlreid/train/trainable.h"

namespace vlreid {
namespace {

constexpr std::string_view kSecond = "second."; // the second model of hard sharing

bool is_neck_bias(const std::string& name) {
  return name == "bottleneck.bias" || name == "bottleneck_proj.bias";
}

bool contains(const std::string& name, const char* part) {
  return name.find(part) != std::string::npos;
}

bool is_head(const std::string& name) {
  return name.starts_with("classifier") || (name.starts_with("bottleneck") && !is_neck_bias(name));
}

} // namespace

bool trains_all_prompts(const std::string& parameter) {
  return trains_prompts(parameter) || contains(parameter, "VPT");
}

bool trains_everything(const std::string&) {
  return true;
}

bool trains_prompts(const std::string& parameter) {
  return parameter.starts_with("prompt_learner.");
}

bool trains_feature_adapter(const std::string& parameter) {
  return parameter.starts_with("adapter.") || is_head(parameter);
}

bool trains_image(const std::string& parameter) {
  return !trains_all_prompts(parameter) && !parameter.starts_with("text_encoder.") &&
         !parameter.starts_with("ZS_image_encoder.") && !is_neck_bias(parameter);
}

bool trains_lora(const std::string& parameter) {
  if (!trains_image(parameter)) return false;
  return trains_feature_adapter(parameter) || contains(parameter, "w_lora_") ||
         (parameter.starts_with("image_encoder.") && contains(parameter, "ln_"));
}

bool trains_visual_prompts(const std::string& parameter) {
  return is_head(parameter) || (parameter.starts_with("image_encoder.") && contains(parameter, "VPT"));
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
                                             const TuningOptions& solver, const GroupOptions& options) {
  const TrainableSet learns = trainable_sets().at(trainable_set);
  std::vector<ParameterGroup> groups;
  for (auto& item : model.named_parameters()) {
    const std::string& name = item.key();
    at::Tensor& parameter = item.value();
    const bool does_learn = learns(name.starts_with(kSecond) ? name.substr(kSecond.size()) : name);
    parameter.requires_grad_(does_learn);
    parameter.mutable_grad() = at::Tensor();
    if (!does_learn) continue;
    const bool is_bias = contains(name, "bias");
    double factor = is_bias ? solver.bias_rate_factor : 1;
    if (solver.large_classifier_rate && contains(name, "classifier")) factor = 2;
    const bool is_spared = !options.decays_vectors && parameter.dim() < 2;
    double decay = is_bias ? solver.bias_weight_decay : solver.weight_decay;
    if (name.starts_with("image_encoder.")) decay = options.encoder_weight_decay.value_or(decay);
    groups.push_back(
        {.name = name, .parameter = parameter, .rate_factor = factor, .weight_decay = is_spared ? 0 : decay});
  }
  return groups;
}

} // namespace vlreid
