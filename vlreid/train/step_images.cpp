#include "vlreid/train/recipe.h"
#include "vlreid/train/step.h"

#include <ATen/ops/matmul.h>

namespace vlreid {
namespace {

class ImageStep : public Step {
public:
  ImageStep(ReidModel& model, const Stage& stage)
      : model_(model), wants_frozen_(has_loss(stage, "frozen_feature") || has_loss(stage, "frozen_proj")) {
    if (has_loss(stage, "image_to_text"))
      for (int set = 0; set < (model.has_second() ? 2 : 1); ++set)
        texts_.push_back(model.of_set(set).text_features().t()); // [E, I]
    begin();
  }

  void begin() override { model_.train(); }

  LossInputs forward(const Batch& batch) override {
    const TrainingOutput output = model_.of_set(batch.set).forward(batch.images, batch.cameras, batch.views);
    LossInputs inputs;
    inputs.labels = batch.identities;
    inputs.scores = {output.score, output.score_proj};
    inputs.metric_features = {output.features.last, output.features.feature, output.features.proj};
    inputs.feature = output.features.feature;
    inputs.proj = output.features.proj;
    if (wants_frozen_) {
      const ImageFeatures frozen = model_.frozen_features(batch.images);
      inputs.frozen_feature = frozen.feature;
      inputs.frozen_proj = frozen.proj;
    }
    if (!texts_.empty())
      inputs.text_logits = at::matmul(output.features.proj, texts_[static_cast<std::size_t>(batch.set)]);
    return inputs;
  }

private:
  ReidModel& model_;
  bool wants_frozen_;
  std::vector<at::Tensor> texts_; // of each set
};

} // namespace

std::unique_ptr<Step> make_images_step(ReidModel& model, const Stage& stage) {
  return std::make_unique<ImageStep>(model, stage);
}

} // namespace vlreid
