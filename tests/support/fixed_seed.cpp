// In every test program with LibTorch: each test draws the same numbers, in every run and any order.
#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace {

class FixedSeed : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& /*test*/) override { at::manual_seed(1); }
};

[[maybe_unused]] const bool is_added = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new FixedSeed);
  return true;
}();

} // namespace
