// What one step of training computes: Batch -> the inputs of the losses. A family (steps.def), one file per
// member. A step knows the model and what is cached for its stage; optimiser, losses, schedule and batches
// are others' business (stage_trainer.h, batch_source.h).
#pragma once

#include "vlreid/base/registry.h"
#include "vlreid/losses/loss.h"
#include "vlreid/reid/model.h"

#include <memory>
#include <vector>

namespace vlreid {

struct Stage;

// On the model's device but for what the host has to know: nobody waits for a device to tell a number back.
struct Batch {
  std::vector<std::size_t> items; // which training records, [B]
  at::Tensor identities;          // [B] int64
  at::Tensor cameras, views;      // [B] int64 on the CPU
  at::Tensor images;              // [B, 3, H, W] float32, normalised; undefined in cached stages
  at::Tensor features;            // [B, E] raw, cached; undefined elsewhere
  int set = 0; // 1: of the second set of hard sharing, whose model has its own words and classifiers
  at::Tensor tokens = {};          // [B, 77] int64 on the CPU, of a sentence each; undefined without captions
  at::Tensor host_identities = {}; // `identities` on the CPU; undefined where they are there anyway
};

class Step {
public:
  virtual ~Step() = default;
  // Training or evaluation mode of the model.
  virtual void begin() = 0;
  virtual LossInputs forward(const Batch& batch) = 0;
  // Keeps weights in their bounds.
  virtual void after_update() {}
  // Cached image features instead of images: batches need no decoding.
  virtual bool uses_cached_features() const { return false; }
};

using StepFactory = std::unique_ptr<Step> (*)(ReidModel& model, const Stage& stage);

#define VLREID_BUILTIN(name, description)                                                                    \
  std::unique_ptr<Step> make_##name##_step(ReidModel& model, const Stage& stage);
#include "vlreid/train/steps.def"
#undef VLREID_BUILTIN

const Registry<StepFactory>& steps();

} // namespace vlreid
