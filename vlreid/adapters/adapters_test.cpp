#include "vlreid/adapters/lora.h"
#include "vlreid/base/error.h"
#include "vlreid/encoders/module_state.h"

#include <ATen/Context.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

// Names of a file that adapts v of block 0, and both linears of the mlp of block 1.
StateDict adapted_names() {
  StateDict state;
  state.add("resblocks.0.attn.q_proj.weight", at::randn({64, 64}));
  state.add("resblocks.0.attn.v_proj.w_lora_A", at::randn({2, 64}));
  state.add("resblocks.1.mlp.c_fc.w_lora_A", at::randn({4, 64}));
  state.add("resblocks.1.mlp.c_proj.w_lora_A", at::randn({4, 256}));
  return state;
}

TEST(Lora, RewritesExactlyWhatTheFileAdapts) {
  Transformer transformer({.width = 64, .layers = 2, .heads = 1});
  EXPECT_EQ(apply_adapters(transformer, adapted_names(), {.alpha = 1}, "file"), 1);
  const StateDict state = state_of(transformer);
  EXPECT_TRUE(state.has("resblocks.0.attn.v_proj.w_lora_B"));
  EXPECT_TRUE(state.has("resblocks.0.attn.q_proj.weight"));
  EXPECT_FALSE(state.has("resblocks.0.attn.q_proj.w_lora_A"));
  EXPECT_FALSE(state.has("resblocks.0.attn.in_proj_weight"));
  EXPECT_TRUE(state.has("resblocks.1.attn.in_proj_weight"));
  EXPECT_EQ(state.at("resblocks.1.mlp.c_proj.w_lora_B").size(0), 64);
}

TEST(Lora, LeavesPlainWeightsAlone) {
  Transformer transformer({.width = 64, .layers = 1, .heads = 1});
  EXPECT_EQ(apply_adapters(transformer, StateDict(), {}, "file"), 0);
  EXPECT_TRUE(state_of(transformer).has("resblocks.0.attn.in_proj_weight"));
}

TEST(Lora, AlphaIsAskedFor) {
  Transformer transformer({.width = 64, .layers = 2, .heads = 1});
  EXPECT_THROW(apply_adapters(transformer, adapted_names(), {}, "file"), Error);
}

TEST(Lora, TrainingEvaluationAndMergedWeightAgree) {
  LoraLinear layer({.in = 8, .out = 6}, 4, {.alpha = 3});
  {
    const c10::NoGradGuard no_grad;
    for (const auto& item : layer.named_parameters())
      item.value().copy_(at::randn(item.value().sizes()));
  }
  const at::Tensor x = at::randn({5, 8});
  const at::Tensor expected =
      at::linear(x, layer.weight + 1.5 * at::matmul(layer.w_lora_B, layer.w_lora_A), layer.bias);
  layer.train();
  const at::Tensor training = layer.forward(x);
  EXPECT_TRUE(at::allclose(training, expected, 1e-4, 1e-4));
  training.sum().backward();
  EXPECT_TRUE(layer.w_lora_A.grad().defined() && layer.w_lora_B.grad().defined());
  layer.eval();
  EXPECT_TRUE(at::allclose(layer.forward(x), expected, 1e-4, 1e-4));
  EXPECT_TRUE(at::allclose(at::linear(x, layer.effective_weight(), layer.bias), expected, 1e-4, 1e-4));
}

// The result is linear in x, in A and in B each, so a gradient is exact if it tells the change along any
// direction; equal seeds drop the same numbers.
TEST(Lora, GradientsTellTheChangeWithDropoutToo) {
  LoraLinear layer({.in = 8, .out = 4}, 2, {.alpha = 2, .dropout = 0.25});
  const at::Tensor x = at::randn({50, 8}).requires_grad_(true), direction = at::randn({50, 4});
  const std::vector<at::Tensor> inputs = {x, layer.weight, layer.bias, layer.w_lora_A, layer.w_lora_B};
  const auto projected = [&] {
    at::manual_seed(7);
    return (layer.forward(x) * direction).sum();
  };
  const auto moved = [&](const at::Tensor& input, const at::Tensor& step) {
    const c10::NoGradGuard no_grad;
    const double before = projected().item<double>();
    input.add_(step);
    return projected().item<double>() - before;
  };
  for (const at::Tensor& input : inputs)
    moved(input, at::randn(input.sizes()));
  projected().backward();
  for (const at::Tensor& input : inputs) {
    const at::Tensor step = at::randn(input.sizes());
    const double expected = (input.grad() * step).sum().item<double>();
    EXPECT_NEAR(moved(input, step), expected, 1e-4 * (1 + std::abs(expected)));
    moved(input, -step);
  }
}

} // namespace
} // namespace vlreid
