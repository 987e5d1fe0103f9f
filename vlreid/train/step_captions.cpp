#include "vlreid/train/step.h"

#include <ATen/ops/linalg_vector_norm.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace vlreid {
namespace {

const double kLargestScale = std::log(100.0); // of CLIP's training

at::Tensor normalised(const at::Tensor& rows) {
  return rows / at::linalg_vector_norm(rows, 2, {1}, /*keepdim=*/true);
}

// Pairs that have one identity are positives of each other; whoever makes the batches decides what an
// identity is.
class CaptionStep : public Step {
public:
  explicit CaptionStep(ReidModel& model) : model_(model) { begin(); }

  void begin() override { model_.train(); }

  LossInputs forward(const Batch& batch) override {
    LossInputs inputs;
    inputs.labels = batch.identities;
    inputs.image_features = normalised(model_.image_encoder().forward(batch.images, {}).proj.to(at::kFloat));
    inputs.text_features = normalised(model_.encode_text(batch.tokens).to(at::kFloat));
    inputs.logit_scale = model_.logit_scale().exp();
    return inputs;
  }

  void after_update() override {
    const c10::NoGradGuard no_gradients;
    at::Tensor scale = model_.logit_scale();
    scale.clamp_max_(kLargestScale);
  }

private:
  ReidModel& model_;
};

} // namespace

std::unique_ptr<Step> make_captions_step(ReidModel& model, const Stage&) {
  return std::make_unique<CaptionStep>(model);
}

} // namespace vlreid
