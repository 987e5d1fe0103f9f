#include "vlreid/products/products.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "vlreid/base/random.h"
#include "vlreid/products/kernels.h"

namespace vlreid {
namespace {

std::vector<float> normal_values(std::int64_t count, std::uint64_t key) {
  Random random({key});
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(random.normal());
  return values;
}

struct Shape {
  std::int64_t rows = 0, images = 0, dims = 0;
};

// A row and a column short of a tile, of a strip, of a strip's depth; one number; many.
const Shape kShapes[] = {{1, 1, 1},    {5, 15, 7},    {6, 16, 256},  {7, 17, 257},
                         {13, 33, 64}, {14, 32, 512}, {127, 40, 33}, {260, 100, 300}};

class EveryKernel : public testing::TestWithParam<const TileKernel*> {};

TEST_P(EveryKernel, EqualsTheSumInDouble) {
  for (const Shape& shape : kShapes) {
    const std::vector<float> a = normal_values(shape.rows * shape.dims, 1);
    const std::vector<float> b = normal_values(shape.images * shape.dims, 2);
    const Panels panels({b.data(), shape.images}, shape.dims);
    std::vector<float> out(shape.rows * shape.images, NAN);
    multiply_with(*GetParam(), {a.data(), shape.rows}, panels, {0, shape.images}, out.data(), shape.images);
    for (std::int64_t r = 0; r < shape.rows; ++r) {
      for (std::int64_t c = 0; c < shape.images; ++c) {
        double sum = 0;
        for (std::int64_t d = 0; d < shape.dims; ++d)
          sum += static_cast<double>(a[r * shape.dims + d]) * b[c * shape.dims + d];
        ASSERT_NEAR(out[r * shape.images + c], sum, 1e-6 * static_cast<double>(shape.dims) + 1e-5)
            << r << ' ' << c << " of " << shape.rows << 'x' << shape.images << 'x' << shape.dims;
      }
    }
  }
}

TEST_P(EveryKernel, WritesOnlyTheColumnsAskedFor) {
  constexpr std::int64_t kRows = 9, kImages = 70, kDims = 20, kStride = 50;
  const std::vector<float> a = normal_values(kRows * kDims, 1);
  const std::vector<float> b = normal_values(kImages * kDims, 2);
  const Panels panels({b.data(), kImages}, kDims);
  std::vector<float> whole(kRows * kImages);
  multiply_with(*GetParam(), {a.data(), kRows}, panels, {0, kImages}, whole.data(), kImages);
  std::vector<float> part(kRows * kStride, -1);
  multiply_with(*GetParam(), {a.data(), kRows}, panels, {32, 21}, part.data(), kStride);
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int64_t c = 0; c < kStride; ++c)
      EXPECT_EQ(part[r * kStride + c], c < 21 ? whole[r * kImages + 32 + c] : -1) << r << ' ' << c;
  }
}

// Ties of a ranking depend on it.
TEST_P(EveryKernel, GivesEqualRowsEqualNumbers) {
  constexpr std::int64_t kRows = 31, kImages = 61, kDims = 531;
  const std::vector<float> row = normal_values(kDims, 3);
  std::vector<float> same;
  for (std::int64_t i = 0; i < kImages; ++i)
    same.insert(same.end(), row.begin(), row.end());
  const Panels panels({same.data(), kImages}, kDims);
  std::vector<float> out(kRows * kImages);
  multiply_with(*GetParam(), {same.data(), kRows}, panels, {0, kImages}, out.data(), kImages);
  EXPECT_EQ(std::count(out.begin(), out.end(), out.front()), kRows * kImages);
}

INSTANTIATE_TEST_SUITE_P(Products, EveryKernel, testing::ValuesIn(kernels_of_this_processor()),
                         [](const auto& kernel) { return std::string(kernel.param->name); });

TEST(Products, OfNothingAreNothing) {
  const Panels none(0, 8);
  EXPECT_EQ(none.panels(), 0);
  multiply({nullptr, 0}, none, {0, 0}, nullptr, 0);
}

} // namespace
} // namespace vlreid
