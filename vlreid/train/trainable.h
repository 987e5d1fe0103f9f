// Which parameters of the model learn in a stage, by name: spec/reference-behaviour.md, sections 4 to 6. A
// family (trainable.def): one predicate per member.
#pragma once

#include "vlreid/base/registry.h"
#include "vlreid/config/options.h"
#include "vlreid/optim/optimizer.h"
#include "vlreid/reid/model.h"

#include <optional>

namespace vlreid {

// Whether the parameter with this name of the checkpoint learns.
using TrainableSet = bool (*)(const std::string& name);

#define VLREID_BUILTIN(name, description) bool trains_##name(const std::string& parameter);
#include "vlreid/train/trainable.def"
#undef VLREID_BUILTIN

const Registry<TrainableSet>& trainable_sets();

// One group per learning tensor, in the order of the checkpoint, as the references have it; gradients are
// switched on for these tensors and off for all others. Biases get their own rate factor and decay,
// classifiers twice the rate with LARGE_FC_LR.
struct GroupOptions {
  bool decays_vectors = true;                      // false: only matrices and tables decay
  std::optional<double> encoder_weight_decay = {}; // of the image encoder, whatever the solver says
};
std::vector<ParameterGroup> parameter_groups(ReidModel& model, const std::string& trainable_set,
                                             const TuningOptions& solver, const GroupOptions& options = {});

} // namespace vlreid
