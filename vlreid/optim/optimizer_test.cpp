#include "vlreid/optim/optimizer.h"

#include "tests/support/tensors.h"
#include "vlreid/base/error.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

at::Tensor numbers(std::vector<double> values, at::IntArrayRef shape) {
  return at::tensor(values, at::kFloat).reshape(shape);
}

// Two tensors in groups of their own: a [19] (rate x 1, decay 0.1) and b [2, 2] (rate x 2, no decay).
struct Problem {
  explicit Problem(const std::string& optimizer)
      : updates({{.name = "a", .parameter = a, .weight_decay = 0.1},
                 {.name = "b", .parameter = b, .rate_factor = 2}},
                {.name = optimizer}) {}

  // b has no gradient in the first two steps.
  void set_gradients(int t) {
    a.mutable_grad() = at::sin(at::arange(19, at::kFloat) + t) + a.detach();
    if (t > 2) b.mutable_grad() = at::cos(at::arange(4, at::kFloat).reshape({2, 2}) * t) + b.detach();
  }
  void run(int first, int last, double loss_scale = 1) {
    for (int t = first; t <= last; ++t) {
      updates.zero_grad();
      set_gradients(t);
      for (at::Tensor* x : {&a, &b})
        if (x->grad().defined()) x->mutable_grad().mul_(loss_scale);
      updates.step(0.01, 1 / loss_scale);
    }
  }

  at::Tensor a = (at::arange(19, at::kFloat) * 0.1 - 0.5).requires_grad_();
  at::Tensor b = numbers({0.25, -1.5, 2, 0}, {2, 2}).requires_grad_();
  Optimizer updates;
};

struct Expected {
  std::string name;
  std::vector<double> a; // elements 0, 7, 18 after ten steps
  std::vector<double> b;
};

// What torch.optim of PyTorch 2.13 gives for the Problem.
const Expected kExpected[] = {
    {"Adam", {-0.48211661, 0.157826856, 1.20755386}, {0.0906097442, -1.35547221, 1.84941447, 0.0296672117}},
    {"AdamW", {-0.481630415, 0.157752365, 1.19615722}, {0.0906097442, -1.35547221, 1.84941447, 0.0296672117}},
    {"SGD", {-0.355054229, 0.0893722326, 0.70116502}, {-0.389472157, -0.67176789, 0.917144835, 0.042872943}},
};

class Optimizers : public testing::TestWithParam<Expected> {};

TEST_P(Optimizers, EqualPyTorchAfterTenSteps) {
  Problem problem(GetParam().name);
  problem.run(1, 10);
  expect_close(problem.a.index_select(0, at::tensor({0, 7, 18}, at::kLong)), numbers(GetParam().a, {3}),
               {.rel = 1e-6});
  expect_close(problem.b, numbers(GetParam().b, {2, 2}), {.rel = 1e-6});
}

TEST_P(Optimizers, ResumedRunIsBitEqual) {
  Problem whole(GetParam().name), first(GetParam().name), second(GetParam().name);
  whole.run(1, 8);
  first.run(1, 2);
  EXPECT_FALSE(first.updates.state().has("b.step")); // b had no gradient yet
  {
    const c10::NoGradGuard no_grad;
    second.a.copy_(first.a);
    second.b.copy_(first.b);
  }
  second.updates.load(first.updates.state(), "state.pt");
  second.run(3, 8);
  EXPECT_TRUE(at::equal(whole.a, second.a));
  EXPECT_TRUE(at::equal(whole.b, second.b));
}

TEST_P(Optimizers, PowerOfTwoLossScaleChangesNothing) {
  Problem plain(GetParam().name), scaled(GetParam().name);
  plain.run(1, 4);
  scaled.run(1, 4, 1024);
  EXPECT_TRUE(at::equal(plain.a, scaled.a));
  EXPECT_TRUE(at::equal(plain.b, scaled.b));
}

// Which elements of memory belong together must not depend on the layout of the gradient.
TEST_P(Optimizers, GradientsOfAnotherLayout) {
  const at::Tensor gradient = numbers({1, 2, 3, 4, 5, 6}, {2, 3});
  std::vector<at::Tensor> results;
  for (const at::Tensor& laid_out : {gradient, gradient.t().contiguous().t()}) {
    at::Tensor x = at::ones({2, 3}).requires_grad_();
    Optimizer updates({{.name = "x", .parameter = x}}, {.name = GetParam().name});
    x.mutable_grad() = laid_out;
    updates.step(0.1);
    updates.step(0.1);
    results.push_back(x.detach());
  }
  EXPECT_TRUE(at::equal(results[0], results[1]));
}

TEST_P(Optimizers, StateThatDoesNotFitIsRefused) {
  Problem problem(GetParam().name);
  problem.run(1, 3);
  const StateDict state = problem.updates.state();
  StateDict missing, misshapen, extra = state;
  bool first = true;
  for (const auto& [name, tensor] : state) {
    if (!name.ends_with(".step")) missing.add(name, tensor);
    misshapen.add(name, first ? at::zeros({3}) : tensor);
    first = false;
  }
  extra.add("c.exp_avg", at::zeros({1}));
  const std::vector<StateDict> refused = GetParam().name == "SGD"
                                             ? std::vector<StateDict>{misshapen, extra}
                                             : std::vector<StateDict>{missing, misshapen, extra};
  for (const StateDict& bad : refused) {
    try {
      problem.updates.load(bad, "state.pt");
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_NE(std::string(error.what()).find("state.pt"), std::string::npos);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Optimizers, testing::ValuesIn(kExpected),
                         [](const auto& test) { return test.param.name; });

// SGD, momentum 0.5, rate 1, no decay, gradients 1 then 1: 10 - 1 - 1.5.
TEST(Optimizer, MomentumByHand) {
  at::Tensor x = at::full({1}, 10.0).requires_grad_();
  Optimizer updates({{.name = "x", .parameter = x}}, {.name = "SGD", .momentum = 0.5});
  for (int t = 0; t < 2; ++t) {
    x.mutable_grad() = at::ones({1});
    updates.step(1);
  }
  EXPECT_FLOAT_EQ(x.item<float>(), 7.5F);
}

TEST(Optimizer, UnknownNameIsAnError) {
  EXPECT_THROW(Optimizer({}, {.name = "Adamw"}), Error);
}

TEST(Optimizer, ZeroGradDropsGradients) {
  at::Tensor x = at::ones({1}).requires_grad_();
  x.mutable_grad() = at::ones({1});
  Optimizer updates({{.name = "x", .parameter = x}}, {});
  updates.zero_grad();
  EXPECT_FALSE(x.grad().defined());
  updates.step(1);
  EXPECT_FLOAT_EQ(x.item<float>(), 1);
  EXPECT_TRUE(updates.state().empty());
}

} // namespace
} // namespace vlreid
