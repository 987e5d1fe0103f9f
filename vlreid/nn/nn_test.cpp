#include "vlreid/base/error.h"
#include "vlreid/nn/fused.h"
#include "vlreid/nn/packed.h"
#include "vlreid/nn/position.h"
#include "vlreid/nn/transformer.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/randn.h>
#include <atomic>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

void fill_with_noise(torch::nn::Module& module, double std) {
  const c10::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters())
    item.value().add_(at::randn(item.value().sizes()) * std);
}

TransformerShape small() {
  return {.width = 128, .layers = 3, .heads = 2};
}

TEST(Layers, HaveTheNamesOfTheCheckpoints) {
  Transformer transformer({.width = 64, .layers = 2, .heads = 1, .visual_prompts = 2});
  std::vector<std::string> names;
  for (const auto& item : transformer.named_parameters())
    names.push_back(item.key());
  EXPECT_EQ(names.front(), "resblocks.0.attn.in_proj_weight");
  EXPECT_EQ(names.at(12), "resblocks.1.VPT_shallow");
  EXPECT_EQ(names.size(), 25U);
}

TEST(Layers, LayerNormIsComputedInFloat32) {
  LayerNorm norm(64);
  const at::Tensor x = (at::randn({5, 64}) * 3 + 1).to(at::kBFloat16);
  const at::Tensor expected =
      at::layer_norm(x.to(at::kFloat), {64}, norm.weight, norm.bias, 1e-5).to(at::kBFloat16);
  EXPECT_TRUE(at::allclose(norm.forward(x), expected, 0, 0));
}

TEST(Attention, SplitLayoutGivesThePackedResult) {
  PackedAttention packed(128, 2);
  fill_with_noise(packed, 0.1);
  const auto parts = split(packed);
  const at::Tensor x = at::randn({2, 7, 128});
  const QueriesKeysValues a = packed.project(x), b = parts->project(x);
  EXPECT_TRUE(at::allclose(a.queries, b.queries, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(a.context.values, b.context.values, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(packed.project_queries(x), b.queries, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(packed.effective_weights().in_weight, parts->effective_weights().in_weight, 0, 0));
}

TEST(Transformer, PartOfASequenceEqualsTheWhole) {
  ResidualBlock block(small(), false);
  fill_with_noise(block, 0.1);
  const at::Tensor x = at::randn({2, 9, 128});
  const at::Tensor part = block.attend_to(x.slice(1, 4, 6), block.keys_values(x));
  EXPECT_TRUE(at::allclose(part, block.forward(x).slice(1, 4, 6), 1e-5, 1e-5));
}

TEST(Transformer, ReplacingTokensLeavesTheOthers) {
  const at::Tensor x = at::randn({2, 5, 3});
  const at::Tensor replaced = with_tokens_replaced(x, 1, at::full({2, 3}, 7.0));
  EXPECT_TRUE(at::allclose(replaced.slice(1, 1, 3), at::full({2, 2, 3}, 7.0)));
  EXPECT_TRUE(at::allclose(replaced.slice(1, 3), x.slice(1, 3)));
  EXPECT_TRUE(at::allclose(replaced.slice(1, 0, 1), x.slice(1, 0, 1)));
}

class Packed : public testing::TestWithParam<std::int64_t> {};

TEST_P(Packed, InferenceFormEqualsTheTrainingForm) {
  TransformerShape shape = small();
  shape.visual_prompts = GetParam();
  Transformer transformer(shape);
  fill_with_noise(transformer, 0.1);
  const at::Tensor x = at::randn({3, 11, 128});

  at::Tensor y = x, last;
  for (std::int64_t i = 0; i < 3; ++i) {
    ResidualBlock& block = transformer.block(i);
    if (block.VPT_shallow.defined())
      y = with_tokens_replaced(y, 11 - shape.visual_prompts, block.VPT_shallow);
    last = y.select(1, 0);
    y = block.forward(y);
  }
  const ReadToken token = PackedTransformer(transformer, {}).read_first_token(x.clone());
  EXPECT_TRUE(at::allclose(token.before_last_block, last, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(token.after_last_block, y.select(1, 0), 1e-5, 1e-5));

  const ReadToken rough = PackedTransformer(transformer, {.type = at::kBFloat16}).read_first_token(x.clone());
  EXPECT_TRUE(at::allclose(rough.after_last_block, y.select(1, 0), 0.05, 0.1));
  const ReadToken coarse = PackedTransformer(transformer, {.is_int8 = true}).read_first_token(x.clone());
  const at::Tensor a = coarse.after_last_block, b = y.select(1, 0);
  EXPECT_GT((a * b).sum().item<double>() / (a.norm() * b.norm()).item<double>(), 0.99);
}
INSTANTIATE_TEST_SUITE_P(Prompts, Packed, testing::Values(0, 2));

TEST(Fused, NormAndGeluEqualTheirPlainForms) {
  for (const std::int64_t width : {768, 100, 7}) {
    at::Tensor x = at::randn({33, width}) * 2;
    const at::Tensor branch = at::randn({33, width}), bias = at::randn({width});
    const NormWeights norm{at::randn({width}), at::randn({width})};
    const at::Tensor sum = x + branch + bias;
    const at::Tensor out = add_layer_norm(x, branch, bias, norm, at::kFloat);
    EXPECT_TRUE(at::allclose(x, sum, 1e-6, 1e-6));
    EXPECT_TRUE(at::allclose(out, at::layer_norm(sum, {width}, norm.weight, norm.bias, 1e-5), 1e-5, 1e-5));
    at::Tensor gelu = sum.clone();
    bias_quick_gelu_(gelu, bias);
    EXPECT_TRUE(at::allclose(gelu, quick_gelu(sum + bias), 1e-5, 1e-6));
  }
}

TEST(Fused, QuickGeluAtTheEnds) {
  at::Tensor x = at::arange(-120.0, 120.0, 0.25, at::kFloat).view({1, -1});
  const at::Tensor expected = quick_gelu(x);
  bias_quick_gelu_(x, at::full({x.size(1)}, 0.0));
  EXPECT_TRUE(at::allclose(x, expected, 1e-5, 1e-6));
}

TEST(Fused, QuantisedRowsComeBackWithinHalfAStep) {
  at::Tensor x = at::randn({9, 77}) * 3;
  x[4].zero_();
  for (const int half_range : {63, 127}) {
    const QuantisedRows rows = quantise_rows(x, half_range);
    const at::Tensor back = (rows.values.to(at::kFloat) - (half_range + 1)) * rows.scales;
    EXPECT_TRUE((((back - x).abs() - 0.5001 * rows.scales) <= 1e-6).all().item<bool>());
  }
}

TEST(Fused, RowsAreCoveredOnce) {
  std::vector<std::atomic<int>> hits(1000);
  for_rows(1000, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      ++hits[static_cast<std::size_t>(i)];
  });
  for (const auto& hit : hits)
    EXPECT_EQ(hit, 1);
}

TEST(Positions, EqualGridIsUnchangedAndAnOddTableIsAnError) {
  const at::Tensor table = at::randn({10, 4});
  EXPECT_TRUE(resize_positions(table, {3, 3}, PositionResize::bilinear).is_same(table));
  EXPECT_EQ(resize_positions(table, {4, 2}, PositionResize::bicubic).size(0), 9);
  EXPECT_THROW(resize_positions(at::randn({11, 4}), {4, 2}, PositionResize::bilinear), Error);
  EXPECT_EQ(patch_grid({256, 128}, 16, 12), (Grid{21, 10}));
  EXPECT_THROW(patch_grid({8, 128}, 16, 16), Error);
}

} // namespace
} // namespace vlreid
