#include "vlreid/transforms/pixel_row.h"

#include <gtest/gtest.h>
#include <numeric>
#include <vector>

namespace vlreid {
namespace {

constexpr std::array<float, 3> kImageNetMean = {0.485F, 0.456F, 0.406F},
                               kImageNetStd = {0.229F, 0.224F, 0.225F};

// Every byte in every channel, in both directions; whole vectors, rests, and rows too short for a vector.
void expect_values(const PixelTable& table) {
  for (const int width : {256, 131, 8, 5}) {
    std::vector<std::uint8_t> row(std::size_t{3} * width);
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        row[3 * x + c] = static_cast<std::uint8_t>(x + 85 * c);
    for (const Direction direction : {Direction::forward, Direction::reversed}) {
      const std::size_t plane = static_cast<std::size_t>(width) + 3;
      std::vector<float> out(3 * plane, -100.0F);
      write_pixel_row(table, row.data(), width, direction, plane, out.data());
      for (std::size_t c = 0; c < 3; ++c) {
        for (int x = 0; x < width; ++x) {
          const int from = direction == Direction::forward ? x : width - 1 - x;
          const float value = static_cast<float>(row[3 * from + c]);
          ASSERT_EQ(out[c * plane + x], (value / 255.0F - table.mean[c]) / table.std[c]) << width << " " << x;
        }
        for (std::size_t x = width; x < plane; ++x)
          ASSERT_EQ(out[c * plane + x], -100.0F);
      }
    }
  }
}

TEST(PixelRow, HasTheValuesOfTheDefinitionToTheLastBit) {
  for (const auto& [mean, std] : {std::pair{std::array{0.5F, 0.5F, 0.5F}, std::array{0.5F, 0.5F, 0.5F}},
                                  std::pair{kImageNetMean, kImageNetStd}}) {
    PixelTable table = make_pixel_table(mean, std);
    EXPECT_TRUE(table.is_computed_exactly);
    expect_values(table);
    table.is_computed_exactly = false;
    expect_values(table);
  }
}

TEST(PixelRow, LooksUpWhatCannotBeComputedExactly) {
  // The reciprocal of so small a number is infinite.
  const PixelTable table = make_pixel_table({0, 0, 0}, {1e-39F, 1e-39F, 1e-39F});
  EXPECT_FALSE(table.is_computed_exactly);
  expect_values(table);
}

} // namespace
} // namespace vlreid
