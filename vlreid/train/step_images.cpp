#include "vlreid/train/recipe.h"
#include "vlreid/train/step.h"

#include <ATen/ops/matmul.h>

namespace vlreid {
namespace {

class ImageStep : public Step {
public:
  ImageStep(ReidModel& model, const Stage& stage) : model_(model) {
    if (has_loss(stage, "image_to_text")) text_ = model.text_features().t(); // [E, I]
    begin();
  }

  void begin() override { model_.train(); }

  LossInputs forward(const Batch& batch) override {
    const TrainingOutput output = model_.forward(batch.images, batch.cameras, batch.views);
    LossInputs inputs;
    inputs.labels = batch.identities;
    inputs.scores = {output.score, output.score_proj};
    inputs.metric_features = {output.features.last, output.features.feature, output.features.proj};
    inputs.feature = output.features.feature;
    if (text_.defined()) inputs.text_logits = at::matmul(output.features.proj, text_);
    return inputs;
  }

private:
  ReidModel& model_;
  at::Tensor text_;
};

} // namespace

std::unique_ptr<Step> make_images_step(ReidModel& model, const Stage& stage) {
  return std::make_unique<ImageStep>(model, stage);
}

} // namespace vlreid
