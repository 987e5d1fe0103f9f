#include "vlreid/train/recipe.h"
#include "vlreid/train/step.h"

#include <ATen/ops/_unique2.h>

namespace vlreid {
namespace {

// Each identity of the batch is encoded once, however many images it has: an exact saving, since the rows
// that belong together are equal.
class PromptStep : public Step {
public:
  explicit PromptStep(ReidModel& model) : model_(model) { begin(); }

  // Nothing but the words learns: no dropout, no moving statistics.
  void begin() override { model_.eval(); }

  LossInputs forward(const Batch& batch) override {
    const auto [identities, places, unused] =
        at::_unique2(batch.identities, /*sorted=*/true, /*return_inverse=*/true);
    LossInputs inputs;
    inputs.labels = batch.identities;
    inputs.image_features = batch.features;
    inputs.text_features = model_.encode_identities(identities).index_select(0, places);
    return inputs;
  }
  bool uses_cached_features() const override { return true; }

private:
  ReidModel& model_;
};

} // namespace

std::unique_ptr<Step> make_prompts_step(ReidModel& model, const Stage&) {
  return std::make_unique<PromptStep>(model);
}

} // namespace vlreid
