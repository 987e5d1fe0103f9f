// Activation checkpointing (Chen et al. 2016): a part of the graph whose inner activations are dropped after
// the forward pass and made again in the backward pass. Random choices and autocast are as they were, so
// values and gradients are the same, bit for bit.
#pragma once

#include <ATen/Tensor.h>
#include <functional>
#include <vector>

namespace vlreid {

using Recomputable = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

// function(inputs). `function` may use parameters besides: their gradients go to them directly. What it
// captures must outlive the backward pass. Without gradients, or with no input that learns, it is a plain
// call.
std::vector<at::Tensor> recomputed(const Recomputable& function, std::vector<at::Tensor> inputs);

} // namespace vlreid
