// Prompt learners: identities -> TextPrompt. The embeddings of a fixed sentence stand as a prefix and a
// suffix (buffers), learned vectors between them (spec/reference-behaviour.md, section 3). A family
// (builtin.def); which member a checkpoint belongs to follows from its names, and all lengths from its
// shapes. Differentiable with respect to the learned vectors.
#pragma once

#include "vlreid/base/registry.h"
#include "vlreid/encoders/text.h"

namespace vlreid {

class PromptLearner : public torch::nn::Module {
public:
  // labels [B] int64, best on the CPU: one prompt for each, in that order; undefined: all identities.
  virtual TextPrompt forward(const at::Tensor& labels) = 0;
  // Of one identity, whose text features are averaged; forward() has all prompts of the first sentence first.
  virtual std::int64_t sentences() const { return 1; }
  virtual std::int64_t identities() const = 0;
};

// Made from the names below `prompt_learner.`, with their values; nullptr when they are another member's.
using PromptLearnerFactory = std::shared_ptr<PromptLearner> (*)(const StateDict& state);

#define VLREID_BUILTIN(name, description) std::shared_ptr<PromptLearner> make_##name(const StateDict& state);
#include "vlreid/prompts/builtin.def"
#undef VLREID_BUILTIN

const Registry<PromptLearnerFactory>& prompt_learners();

// The member that knows the names. Errors: nobody does, or a missing, extra or misshapen tensor (with
// `place`).
std::shared_ptr<PromptLearner> make_prompt_learner(const StateDict& state, const std::string& place);

} // namespace vlreid
