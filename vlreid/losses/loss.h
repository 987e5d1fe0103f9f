// The losses that a recipe names, over what a training step has to offer. A family (builtin.def): one line
// per member, one function in losses of its own or on losses.h. All features are raw. Pure; thread safe.
#pragma once

#include "vlreid/base/registry.h"
#include "vlreid/losses/losses.h"

#include <vector>

namespace vlreid {

// What a step has computed; members that its kind of step does not have are undefined or empty.
struct LossInputs {
  at::Tensor labels;                       // [B] int64
  std::vector<at::Tensor> scores;          // [B, I] each: identity logits
  std::vector<at::Tensor> metric_features; // [B, D] each
  at::Tensor feature;                      // [B, D] what centres are kept of
  at::Tensor centers;                      // [I, D]
  at::Tensor proj;                         // [B, E] the feature in the space that images share with text
  at::Tensor frozen_feature, frozen_proj;  // [B, D], [B, E] of an encoder that does not learn
  TripletMemory memory;                    // of `proj` of earlier batches and this one
  at::Tensor text_logits;                  // [B, I] image features times the text features of all identities
  at::Tensor image_features;               // [B, E] of the pairs that contrastive losses compare
  at::Tensor text_features;                // [B, E]
  at::Tensor logit_scale;                  // [] exp of it, of contrastive pre-training
};

struct LossOptions {
  double label_smoothing = 0.1;
  std::optional<double> margin = 0.3; // of the triplet loss; none: soft margin
};

using Loss = at::Tensor (*)(const LossInputs& inputs, const LossOptions& options);

#define VLREID_BUILTIN(name, description)                                                                    \
  at::Tensor name##_loss(const LossInputs& inputs, const LossOptions& options);
#include "vlreid/losses/builtin.def"
#undef VLREID_BUILTIN

const Registry<Loss>& losses();

} // namespace vlreid
