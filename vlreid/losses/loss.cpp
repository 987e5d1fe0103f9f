#include "vlreid/losses/loss.h"

namespace vlreid {
namespace {

template <typename Each>
at::Tensor sum_of(const std::vector<at::Tensor>& tensors, const Each& each) {
  at::Tensor sum;
  for (const at::Tensor& tensor : tensors) {
    const at::Tensor value = each(tensor);
    sum = sum.defined() ? sum + value : value;
  }
  return sum;
}

} // namespace

at::Tensor center_loss(const LossInputs& inputs, const LossOptions&) {
  return center_loss(inputs.feature, inputs.labels, inputs.centers);
}

at::Tensor clip_loss(const LossInputs& inputs, const LossOptions&) {
  return clip_contrastive(inputs.image_features, inputs.text_features, inputs.logit_scale, inputs.labels);
}

at::Tensor frozen_feature_loss(const LossInputs& inputs, const LossOptions&) {
  return smooth_l1(inputs.feature, inputs.frozen_feature);
}

at::Tensor frozen_proj_loss(const LossInputs& inputs, const LossOptions&) {
  return smooth_l1(inputs.proj, inputs.frozen_proj);
}

at::Tensor identity_loss(const LossInputs& inputs, const LossOptions& options) {
  return sum_of(inputs.scores, [&](const at::Tensor& score) {
    return cross_entropy(score, inputs.labels, options.label_smoothing);
  });
}

at::Tensor image_to_text_loss(const LossInputs& inputs, const LossOptions& options) {
  return cross_entropy(inputs.text_logits, inputs.labels, options.label_smoothing);
}

at::Tensor memory_triplet_loss(const LossInputs& inputs, const LossOptions& options) {
  return memory_triplet(inputs.proj, inputs.labels, inputs.memory, options.margin.value_or(0));
}

at::Tensor prompt_contrast_loss(const LossInputs& inputs, const LossOptions&) {
  const at::Tensor& labels = inputs.labels;
  return supervised_contrastive(inputs.image_features, inputs.text_features, labels, labels) +
         supervised_contrastive(inputs.text_features, inputs.image_features, labels, labels);
}

at::Tensor triplet_loss(const LossInputs& inputs, const LossOptions& options) {
  return sum_of(inputs.metric_features, [&](const at::Tensor& features) {
    return triplet(features, inputs.labels, {.margin = options.margin});
  });
}

const Registry<Loss>& losses() {
  static const Registry<Loss> registry = [] {
    Registry<Loss> made("loss");
#define VLREID_BUILTIN(name, description) made.add(#name, name##_loss, description);
#include "vlreid/losses/builtin.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

} // namespace vlreid
