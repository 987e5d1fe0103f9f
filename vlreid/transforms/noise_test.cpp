#include "vlreid/transforms/noise.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numbers>
#include <set>
#include <vector>

namespace vlreid {
namespace {

std::vector<float> normals(std::uint64_t key, std::size_t count) {
  std::vector<float> out(count);
  fill_normal(key, out);
  return out;
}

double standard_normal_below(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

// Kolmogorov-Smirnov: the largest distance of a million values' distribution from the normal one; 1.63 /
// sqrt(n) is exceeded by chance once in a hundred keys.
TEST(Noise, IsStandardNormal) {
  constexpr std::size_t kCount = 1'000'000;
  std::vector<float> values = normals(1, kCount);
  std::ranges::sort(values);
  double largest = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double below = standard_normal_below(values[i]);
    largest = std::max({largest, std::abs(below - static_cast<double>(i) / kCount),
                        std::abs(below - static_cast<double>(i + 1) / kCount)});
  }
  EXPECT_LT(largest, 1.63e-3);
  EXPECT_LT(values.front(), -4.5f);
  EXPECT_GT(values.back(), 4.5f);
  EXPECT_GE(values.front(), -5.8f);
}

// Neighbours, the two of a pair (8 apart) and rows of an image must not be related, in value or in size.
TEST(Noise, ValuesAreIndependent) {
  constexpr std::size_t kCount = 400'000;
  const std::vector<float> values = normals(2, kCount);
  for (const std::size_t apart : {1u, 2u, 8u, 16u, 32u, 64u, 128u}) {
    double product = 0, squares = 0;
    for (std::size_t i = 0; i + apart < kCount; ++i) {
      const double a = values[i], b = values[i + apart];
      product += a * b;
      squares += (a * a - 1) * (b * b - 1);
    }
    EXPECT_LT(std::abs(product) / std::sqrt(kCount), 4) << apart;
    EXPECT_LT(std::abs(squares) / std::sqrt(4.0 * kCount), 4) << apart;
  }
}

TEST(Noise, KeysGiveDifferentNumbers) {
  std::set<float> seen;
  for (std::uint64_t key = 0; key < 1000; ++key) {
    seen.insert(normals(key, 1)[0]);
    seen.insert(normals(key << 32, 1)[0]);
  }
  EXPECT_GT(seen.size(), 1990u); // key 0 twice; two floats may be equal by chance
}

TEST(Noise, LengthDoesNotChangeTheValues) {
  const std::vector<float> longest = normals(7, 200);
  for (std::size_t count = 0; count < 200; ++count)
    EXPECT_TRUE(std::ranges::equal(normals(7, count), std::span(longest).first(count)));
}

TEST(Noise, PlainAndVectorCodeGiveTheSameBits) {
  std::vector<float> plain(100'003);
  internal::fill_normal_plain(9, plain);
  EXPECT_EQ(plain, normals(9, plain.size()));
}

} // namespace
} // namespace vlreid
