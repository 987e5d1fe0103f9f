#include "vlreid/optim/gradient_scaler.h"

#include "vlreid/base/error.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <cmath>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

struct OneTensor {
  void set_gradient(double value) { x.mutable_grad() = at::full({2}, value); }

  at::Tensor x = at::ones({2}).requires_grad_();
  Optimizer updates{{{.name = "x", .parameter = x}}, {.name = "SGD"}};
};

bool is_one(const at::Tensor& verdict) {
  return verdict.item<float>() == 1;
}

// The verdict of a step, as unscale would give it.
at::Tensor verdict(bool finite) {
  return at::full({}, finite ? 0.0 : 1.0);
}

TEST(GradientScaler, ScalesTheLossAndUnscalesGradients) {
  OneTensor problem;
  const GradientScaler scaler;
  scaler.scale(problem.x.sum() * 3).backward();
  EXPECT_FLOAT_EQ(problem.x.grad()[0].item<float>(), 3 * 65536);
  EXPECT_FALSE(is_one(scaler.unscale(problem.updates)));
  EXPECT_FLOAT_EQ(problem.x.grad()[0].item<float>(), 3);
}

TEST(GradientScaler, FindsInfinityAndNan) {
  OneTensor problem;
  const GradientScaler scaler;
  for (const double bad : {INFINITY, -INFINITY, NAN}) {
    problem.set_gradient(1);
    problem.x.mutable_grad()[1] = bad;
    EXPECT_TRUE(is_one(scaler.unscale(problem.updates))) << bad;
  }
  problem.updates.zero_grad();
  EXPECT_FALSE(is_one(scaler.unscale(problem.updates)));
}

// Three good steps in a row double the scale, a bad one halves it and starts the count again.
TEST(GradientScaler, FollowsWhatTheGradientsBear) {
  GradientScaler scaler({.initial_scale = 8, .growth_interval = 3});
  std::vector<double> scales;
  for (const bool finite : {true, true, false, true, true, true, true}) {
    scaler.update(verdict(finite));
    scales.push_back(scaler.scale());
  }
  EXPECT_EQ(scales, (std::vector<double>{8, 8, 4, 4, 4, 8, 8}));
}

TEST(GradientScaler, DoesNotGrowBeyondFloat32) {
  GradientScaler scaler({.initial_scale = std::ldexp(1.0, 127), .growth_interval = 1});
  scaler.update(verdict(true));
  EXPECT_EQ(scaler.scale(), std::ldexp(1.0, 127));
}

TEST(GradientScaler, StateContinues) {
  const GradientScalerOptions options{.initial_scale = 8, .growth_interval = 3};
  GradientScaler stopped(options), resumed(options);
  for (const bool finite : {false, true, true})
    stopped.update(verdict(finite));
  resumed.load(stopped.state(), "state.pt");
  EXPECT_EQ(resumed.scale(), 4);
  resumed.update(verdict(true));
  EXPECT_EQ(resumed.scale(), 8);
  EXPECT_THROW(resumed.load({}, "state.pt"), Error);
}

TEST(GradientScaler, NotEnabledPassesEverything) {
  OneTensor problem;
  GradientScaler scaler({.enabled = false});
  problem.set_gradient(INFINITY);
  EXPECT_FALSE(is_one(scaler.unscale(problem.updates)));
  scaler.update(verdict(false));
  EXPECT_EQ(scaler.scale(), 1);
  const at::Tensor loss = at::ones({});
  EXPECT_TRUE(scaler.scale(loss).is_same(loss));
}

} // namespace
} // namespace vlreid
