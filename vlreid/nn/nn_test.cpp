#include "vlreid/base/error.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/nn/block_ops.h"
#include "vlreid/nn/fused.h"
#include "vlreid/nn/head_attention.h"
#include "vlreid/nn/learning_products.h"
#include "vlreid/nn/low_rank.h"
#include "vlreid/nn/packed.h"
#include "vlreid/nn/position.h"
#include "vlreid/nn/row_ops.h"
#include "vlreid/nn/transformer.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
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
  const auto parts = std::make_shared<SplitAttention>(packed.width(), packed.heads());
  copy_split(packed, *parts);
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

TEST_P(Packed, InferenceFormsEqualTheTrainingForm) {
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
  for (const auto& form :
       {PackedTransformer(transformer, {}), PackedTransformer::with_aten(transformer, {})}) {
    const ReadToken token = form.read_first_token(x.clone());
    EXPECT_TRUE(at::allclose(token.before_last_block, last, 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(token.after_last_block, y.select(1, 0), 1e-5, 1e-5));
  }
  const ReadToken split = PackedTransformer(transformer, {.is_bf16x3 = true}).read_first_token(x.clone());
  EXPECT_TRUE(at::allclose(split.after_last_block, y.select(1, 0), 1e-4, 1e-4));
  const ReadToken rough = PackedTransformer(transformer, {.type = at::kBFloat16}).read_first_token(x.clone());
  EXPECT_TRUE(at::allclose(rough.after_last_block, y.select(1, 0), 0.05, 0.1));
  const ReadToken coarse = PackedTransformer(transformer, {.is_int8 = true}).read_first_token(x.clone());
  const at::Tensor a = coarse.after_last_block, b = y.select(1, 0);
  EXPECT_GT((a * b).sum().item<double>() / (a.norm() * b.norm()).item<double>(), 0.99);
}
TEST_P(Packed, FewRowsGiveTheNumbersOfMany) {
  TransformerShape shape = small();
  shape.visual_prompts = GetParam();
  Transformer transformer(shape);
  fill_with_noise(transformer, 0.1);
  const PackedTransformer packed(transformer, {});
  const std::int64_t sequences = 64 * shared_pool().size(); // strips of many tiles for every thread
  const at::Tensor x = at::randn({sequences, 11, 128});
  const at::Tensor together = packed.read_first_token(x.clone()).after_last_block;
  for (const std::int64_t i : {std::int64_t{0}, sequences / 2 + 1, sequences - 1}) {
    const at::Tensor alone = packed.read_first_token(x.slice(0, i, i + 1).clone()).after_last_block;
    EXPECT_TRUE(at::equal(alone, together.slice(0, i, i + 1))) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Prompts, Packed, testing::Values(0, 2));

TEST(RowOps, EqualTheirPlainForms) {
  for (const std::int64_t width : {768, 100, 7}) {
    const at::Tensor x = at::randn({33, width}) * 2, weight = at::randn({width}), bias = at::randn({width});
    at::Tensor out = at::empty_like(x);
    layer_norm_rows(x.const_data_ptr<float>(), 33, width, weight.const_data_ptr<float>(),
                    bias.const_data_ptr<float>(), out.mutable_data_ptr<float>());
    EXPECT_TRUE(at::allclose(out, at::layer_norm(x, {width}, weight, bias, 1e-5), 1e-5, 1e-5));
    at::Tensor shares = at::cat({x * 10, at::full({33, 3}, 9.0)}, 1);
    softmax_rows(shares.mutable_data_ptr<float>(), 33, width, width + 3);
    EXPECT_TRUE(at::allclose(shares.slice(1, 0, width), at::softmax(x * 10, 1), 1e-5, 1e-7));
    EXPECT_TRUE((shares.slice(1, width) == 9).all().item<bool>());
  }
}

TEST(Fused, DroppedElementsFollowFromTheSeedAlone) {
  const at::Tensor x = at::full({400, 100}, 2.0);
  const at::Tensor a = keyed_dropout(x, {.seed = 5, .probability = 0.25});
  EXPECT_TRUE(at::equal(a, keyed_dropout(x, {.seed = 5, .probability = 0.25})));
  EXPECT_FALSE(at::equal(a, keyed_dropout(x, {.seed = 6, .probability = 0.25})));
  EXPECT_NEAR((a == 0).to(at::kFloat).mean().item<double>(), 0.25, 0.01);
  EXPECT_NEAR(a.mean().item<double>(), 2.0, 0.05);
  EXPECT_TRUE(at::equal(keyed_dropout(x, {.seed = 5, .probability = 0}), x));
}

// Gradients of every parameter and of x, for one random direction of the result.
struct Pass {
  at::Tensor value;
  std::vector<at::Tensor> gradients;
};

Pass pass(torch::nn::Module& module, const at::Tensor& input,
          const std::function<at::Tensor(const at::Tensor&)>& forward) {
  module.zero_grad();
  const at::Tensor x = input.detach().clone().requires_grad_(true);
  Pass made{.value = forward(x), .gradients = {}};
  made.value.backward(at::cos(at::arange(made.value.numel(), at::kFloat)).view(made.value.sizes()));
  made.gradients = {x.grad()};
  for (const at::Tensor& parameter : module.parameters())
    made.gradients.push_back(parameter.grad().defined() ? parameter.grad().clone() : at::Tensor());
  return made;
}

void expect_equal(const Pass& a, const Pass& b, double tolerance) {
  EXPECT_TRUE(at::allclose(a.value, b.value, tolerance, tolerance));
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    ASSERT_EQ(a.gradients[i].defined(), b.gradients[i].defined()) << i;
    if (!a.gradients[i].defined()) continue;
    const double scale = a.gradients[i].abs().max().item<double>();
    EXPECT_LE((a.gradients[i] - b.gradients[i]).abs().max().item<double>(), tolerance * scale) << i;
  }
}

// The block as its definition reads, on plain operators.
at::Tensor by_definition(ResidualBlock& block, const at::Tensor& x, const at::Tensor& mask) {
  const auto norm = [](const LayerNorm& n, const at::Tensor& y) {
    return at::layer_norm(y, {y.size(-1)}, n.weight, n.bias, kLayerNormEpsilon);
  };
  const QueriesKeysValues parts = block.attn->project(norm(*block.ln_1, x));
  at::Tensor scores = parts.queries.matmul(parts.context.keys.transpose(2, 3)) / 8;
  if (mask.defined()) scores = scores + mask;
  const at::Tensor attended = scores.softmax(3).matmul(parts.context.values).transpose(1, 2).flatten(2);
  const at::Tensor y = x + block.attn->output().forward(attended);
  const at::Tensor hidden = block.mlp->c_fc->forward(norm(*block.ln_2, y));
  return y + block.mlp->c_proj->forward(hidden * at::sigmoid(kQuickGeluSlope * hidden));
}

// So many numbers that packed products are used, and so few that they are not; deeper than one part of them.
class LearningProducts
    : public testing::TestWithParam<std::tuple<std::int64_t, std::int64_t, at::ScalarType>> {};

TEST_P(LearningProducts, EqualTheSumsInDouble) {
  const auto [rows, in, type] = GetParam();
  const std::int64_t out = 151;
  const at::Tensor x = at::randn({rows, in}), weight = at::randn({out, in}), bias = at::randn({out});
  const at::Tensor wide = at::randn({rows, out + 20}), gradient = wide.narrow(1, 7, out);
  const auto seen = [type = type](const at::Tensor& t) { return t.to(type).to(at::kDouble); };
  const auto is_close = [](const at::Tensor& found, const at::Tensor& expected) {
    const double rounding = found.scalar_type() == at::kBFloat16 ? 4e-3 : 0; // half a step
    return at::allclose(found.to(at::kDouble), expected, 1e-4 + rounding, 1e-3);
  };
  const at::Tensor a = seen(x), w = seen(weight), g = seen(gradient), b = seen(bias);

  const at::Tensor forward = a.matmul(w.t()) + b;
  const auto product = WeightProduct::forward(weight, bias.to(type), rows, type);
  EXPECT_TRUE(is_close(product.of(x), forward));
  EXPECT_TRUE(is_close(product.of(x.to(type).slice(0, 3, 20)), forward.slice(0, 3, 20)));
  for (const at::ScalarType of_out : {at::kFloat, type}) {
    at::Tensor beside = at::full({rows, out + 9}, 7.0, of_out), columns = beside.narrow(1, 5, out);
    product.into(columns, x);
    EXPECT_TRUE(is_close(columns.to(type), forward)) << of_out;
    EXPECT_TRUE((beside.slice(1, 0, 5) == 7).all().item<bool>());
    EXPECT_TRUE((beside.slice(1, 5 + out) == 7).all().item<bool>());
  }
  at::Tensor added = at::full({rows, out}, 100.0);
  product.add_to(added, x);
  EXPECT_TRUE(is_close((added - 100).to(type), forward));

  EXPECT_TRUE(is_close(WeightProduct::backward(weight, rows, type).of(gradient), g.matmul(w)));
  const at::Tensor same = at::full({1, 1}, 0.5).expand({rows, out}); // gradient of a mean
  EXPECT_TRUE(is_close(WeightProduct::backward(weight, rows, type).of(same), seen(same).matmul(w)));

  const at::Tensor h = seen(at::randn({rows, out})), sigmoid = at::sigmoid(kQuickGeluSlope * h);
  at::Tensor hidden = at::empty({rows, out}, type);
  const at::Tensor active = product.activated(x, hidden);
  EXPECT_TRUE(is_close(hidden, forward));
  // Without a kernel of their own every step of the activation and its derivative is rounded.
  const auto is_near = [type = type](const at::Tensor& found, const at::Tensor& expected) {
    return at::allclose(found.to(at::kDouble), expected, type == at::kFloat ? 1e-4 : 2e-2,
                        type == at::kFloat ? 1e-3 : 0.2);
  };
  EXPECT_TRUE(is_near(active, forward * at::sigmoid(kQuickGeluSlope * forward)));
  const auto back = WeightProduct::forward(weight, {}, rows, type);
  const at::Tensor through = a.matmul(w.t()) * sigmoid * (1 + kQuickGeluSlope * h * (1 - sigmoid));
  EXPECT_TRUE(is_near(back.through_activation(x, h.to(type), nullptr), through));
  at::Tensor activation;
  EXPECT_TRUE(is_near(back.through_activation(x, h.to(type), &activation), through));
  EXPECT_TRUE(is_near(activation, h * sigmoid));

  at::Tensor sum;
  add_transposed_product(sum, gradient, x.to(type), type);
  EXPECT_TRUE(is_close(sum, g.t().matmul(a)));
  add_transposed_product(sum, gradient.to(type), x, type);
  EXPECT_TRUE(is_close(sum.to(type), 2 * g.t().matmul(a)));
}
INSTANTIATE_TEST_SUITE_P(, LearningProducts,
                         testing::Combine(testing::Values(40, 900), testing::Values(700, 1100),
                                          testing::Values(at::kFloat, at::kBFloat16)));

class HeadAttention : public testing::TestWithParam<std::tuple<at::ScalarType, std::int64_t, bool>> {};

TEST_P(HeadAttention, AndItsGradientAreThoseOfTheFormula) {
  const auto [type, tokens, has_mask] = GetParam();
  const std::int64_t heads = 3, width = heads * 64;
  const at::Tensor packed = at::randn({2, tokens, 3 * width}).to(type);
  const at::Tensor mask =
      has_mask ? at::full({tokens, tokens}, -std::numeric_limits<float>::infinity()).triu_(1) : at::Tensor();
  const at::Tensor gradient = at::randn({2, tokens, width}).to(type);

  const at::Tensor exact = packed.to(at::kDouble).requires_grad_(true);
  const at::Tensor parts = exact.view({2, tokens, 3, heads, 64}).permute({2, 0, 3, 1, 4});
  at::Tensor scores = parts[0].matmul(parts[1].transpose(2, 3)) / 8;
  if (has_mask) scores = scores + mask.to(at::kDouble);
  const at::Tensor expected = scores.softmax(3).matmul(parts[2]).transpose(1, 2).flatten(2);
  expected.backward(gradient.to(at::kDouble));

  const double tolerance = type == at::kFloat ? 1e-5 : 2e-2;
  const auto distance = [](const at::Tensor& found, const at::Tensor& wanted) {
    return ((found.to(at::kDouble) - wanted).abs().max() / wanted.abs().max()).item<double>();
  };
  EXPECT_LT(distance(head_attention(packed, heads, mask), expected), tolerance);
  EXPECT_LT(distance(head_attention_backward(gradient, packed, heads, mask), exact.grad()), tolerance);
}
INSTANTIATE_TEST_SUITE_P(, HeadAttention,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::Values(1, 13, 129, 600), testing::Bool()));

struct Frozen {
  const char* what;
  std::function<bool(const std::string&)> learns;
};

class BlockGradients : public testing::TestWithParam<Frozen> {};

TEST_P(BlockGradients, EqualThoseOfTheDefinition) {
  ResidualBlock block(small(), false);
  fill_with_noise(block, 0.1);
  for (auto& item : block.named_parameters())
    item.value().requires_grad_(GetParam().learns(item.key()));
  const at::Tensor x = at::randn({2, 9, 128});
  for (const at::Tensor& mask : {at::Tensor(), at::full({9, 9}, -1e9).triu(1)}) {
    const Pass expected = pass(block, x, [&](const at::Tensor& y) { return by_definition(block, y, mask); });
    const auto forward = [&](const at::Tensor& y) { return block.forward(y, mask); };
    block.set_recompute(Recompute::nothing);
    const Pass plain = pass(block, x, forward);
    expect_equal(expected, plain, 2e-5);
    for (const Recompute what : {Recompute::hidden, Recompute::blocks}) {
      block.set_recompute(what);
      expect_equal(plain, pass(block, x, forward), 0);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(
    , BlockGradients,
    testing::Values(Frozen{"none", [](const std::string&) { return true; }},
                    Frozen{"all", [](const std::string&) { return false; }},
                    Frozen{"weights", [](const std::string& n) { return n.starts_with("ln_"); }},
                    Frozen{"norms", [](const std::string& n) { return !n.starts_with("ln_"); }}),
    [](const auto& tested) { return std::string(tested.param.what); });

// More rows than go through the MLP at once.
TEST(WholeBlock, OfManyRowsIsTheSumOfItsParts) {
  ResidualBlock block(small(), false);
  fill_with_noise(block, 0.1);
  const at::Tensor x = at::randn({9, 250, 128});
  const auto whole = [&](const at::Tensor& y) { return block.forward(y); };
  const auto parts = [&](const at::Tensor& y) {
    return at::cat({block.forward(y.slice(0, 0, 4)), block.forward(y.slice(0, 4))});
  };
  expect_equal(pass(block, x, parts), pass(block, x, whole), 2e-5);
}

TEST(WholeBlock, UnderAutocastIsCloseToFloat32) {
  ResidualBlock block(small(), false);
  fill_with_noise(block, 0.1);
  const at::Tensor x = at::randn({2, 9, 128});
  const Pass plain = pass(block, x, [&](const at::Tensor& y) { return block.forward(y); });
  const auto rough = [&](const at::Tensor& y) {
    at::autocast::set_autocast_enabled(at::kCPU, true);
    at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
    const at::Tensor value = block.forward(y);
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::clear_cache();
    return value;
  };
  const Pass narrow = pass(block, x, rough);
  EXPECT_EQ(narrow.value.scalar_type(), at::kFloat);
  expect_equal(plain, narrow, 0.05);
  block.set_recompute(Recompute::blocks);
  expect_equal(narrow, pass(block, x, rough), 0);
}

// One layer with a correction beside a plain one, after a LayerNorm and without.
TEST(LowRank, ValuesAndGradientsAreThoseOfThePlainComposition) {
  const at::Tensor x = at::randn({3, 5, 16}).requires_grad_(true), direction = at::randn({3, 5, 20});
  LayerNorm norm(16);
  fill_with_noise(norm, 0.3);
  const auto parameter = [](std::vector<std::int64_t> sizes) {
    return at::randn(sizes).requires_grad_(true);
  };
  const LowRankLayer corrected{.weight = parameter({8, 16}),
                               .bias = parameter({8}),
                               .a = parameter({2, 16}),
                               .b = parameter({8, 2}),
                               .scale = 0.7};
  const LowRankLayer plain{.weight = parameter({12, 16}), .bias = parameter({12}), .a = {}, .b = {}};
  std::vector<at::Tensor> inputs = {x,           norm.weight, norm.bias,    corrected.weight, corrected.bias,
                                    corrected.a, corrected.b, plain.weight, plain.bias};
  const auto gradients = [&](const at::Tensor& y) {
    for (at::Tensor& input : inputs)
      input.mutable_grad().reset();
    (y * direction).sum().backward();
    std::vector<at::Tensor> found;
    for (const at::Tensor& input : inputs)
      found.push_back(input.grad());
    return found;
  };
  for (const LayerNorm* before :
       {static_cast<const LayerNorm*>(nullptr), static_cast<const LayerNorm*>(&norm)}) {
    const at::Tensor rows = before != nullptr ? before->forward(x) : x;
    const at::Tensor expected = at::cat(
        {at::linear(rows, corrected.weight + 0.7 * at::matmul(corrected.b, corrected.a), corrected.bias),
         at::linear(rows, plain.weight, plain.bias)},
        2);
    const at::Tensor found = low_rank_linear(x, before, std::array{corrected, plain});
    EXPECT_TRUE(at::allclose(found, expected, 1e-4, 1e-4));
    const std::vector<at::Tensor> of_expected = gradients(expected), of_found = gradients(found);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ(of_expected[i].defined(), of_found[i].defined()) << i;
      if (of_expected[i].defined()) {
        EXPECT_TRUE(at::allclose(of_found[i], of_expected[i], 1e-3, 1e-3)) << i;
      }
    }
  }
}

TEST(Recomputed, DrawsTheSameNumbersAgainAndLeavesTheGeneratorAlone) {
  const at::Tensor x = at::randn({50}).requires_grad_(true);
  const auto noisy = [](const std::vector<at::Tensor>& inputs) -> std::vector<at::Tensor> {
    return {inputs[0] * at::randn({50})};
  };
  const at::Tensor y = recomputed(noisy, {x})[0];
  const at::Tensor drawn = y.detach() / x.detach();
  y.sum().backward();
  EXPECT_TRUE(at::allclose(x.grad(), drawn, 1e-6, 1e-6));
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
