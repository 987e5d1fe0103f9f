#include "vlreid/tensor/transfer.h"
#include "vlreid/train/recipe.h"
#include "vlreid/train/step.h"

#include <ATen/ops/_unique2.h>

namespace vlreid {
namespace {

// Each identity of the batch is encoded once, however many images it has: an exact saving, since the rows
// that belong together are equal.
class PromptStep : public Step {
public:
  PromptStep(ReidModel& model, bool is_cached) : model_(model), is_cached_(is_cached) { begin(); }

  // Nothing but prompts learns: no dropout, no moving statistics.
  void begin() override { model_.eval(); }

  LossInputs forward(const Batch& batch) override {
    const at::Tensor& labels = batch.host_identities.defined() ? batch.host_identities : batch.identities;
    const auto [identities, places, unused] = at::_unique2(labels, /*sorted=*/true, /*return_inverse=*/true);
    LossInputs inputs;
    inputs.labels = batch.identities;
    inputs.image_features =
        is_cached_ ? batch.features : model_.image_encoder().forward(batch.images, {}).proj;
    const at::Tensor texts = model_.of_set(batch.set).encode_identities(identities);
    inputs.text_features = texts.index_select(0, on_device(places, texts.device()));
    return inputs;
  }
  bool uses_cached_features() const override { return is_cached_; }

private:
  ReidModel& model_;
  bool is_cached_;
};

} // namespace

std::unique_ptr<Step> make_prompts_step(ReidModel& model, const Stage&) {
  return std::make_unique<PromptStep>(model, /*is_cached=*/true);
}

std::unique_ptr<Step> make_image_prompts_step(ReidModel& model, const Stage&) {
  return std::make_unique<PromptStep>(model, /*is_cached=*/false);
}

} // namespace vlreid
