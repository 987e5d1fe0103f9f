// Between modules and StateDicts. Not thread safe with respect to the module.
#pragma once

#include "vlreid/weights/match.h"
#include "vlreid/weights/state_dict.h"

#include <string>
#include <torch/nn/module.h>

namespace vlreid {

// Parameters and buffers in the order in which the Python references write them: a module's own parameters,
// its buffers, its children. The tensors are the module's own, not copies.
StateDict state_of(const torch::nn::Module& module);
// Names and shapes of state_of().
std::vector<ExpectedTensor> expected_tensors(const torch::nn::Module& module);

// Copies values (of any floating type) into the module. A data error lists every missing, extra and misshapen
// tensor.
void load_module(torch::nn::Module& module, const StateDict& state, const std::string& place);

// The same without copies where the module's type allows it: its tensors are then those of the state, and
// nothing may write to them.
void adopt_state(torch::nn::Module& module, const StateDict& state, const std::string& place);

// How many numbers follow `prefix` in the names ("transformer.resblocks.0.ln_1.weight", ...): 1 + the
// largest, or 0.
std::int64_t count_blocks(const StateDict& state, const std::string& prefix);

} // namespace vlreid
