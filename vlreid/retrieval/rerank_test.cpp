#include "vlreid/retrieval/rerank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "vlreid/base/random.h"
#include "vlreid/retrieval/neighbours.h"

namespace vlreid {
namespace {

std::vector<float> random_values(std::int64_t count, std::uint64_t seed) {
  Random random({seed});
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(random.normal());
  return values;
}

using Matrix = std::vector<std::vector<double>>;

// The published algorithm on whole matrices, in double precision.
Matrix rerank_plainly(const std::vector<float>& features, std::int64_t dims, std::int64_t queries, int k1,
                      int k2, double lambda) {
  const auto count = static_cast<std::int64_t>(features.size()) / dims;
  Matrix original(count, std::vector<double>(count));
  std::vector<std::vector<std::int64_t>> order(count, std::vector<std::int64_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t j = 0; j < count; ++j) {
      for (std::int64_t d = 0; d < dims; ++d) {
        original[i][j] += std::pow(double{features[i * dims + d]} - features[j * dims + d], 2);
      }
    }
    const double largest = *std::max_element(original[i].begin(), original[i].end());
    for (double& value : original[i])
      value /= largest;
    std::iota(order[i].begin(), order[i].end(), 0);
    std::stable_sort(order[i].begin(), order[i].end(),
                     [&](auto a, auto b) { return original[i][a] < original[i][b]; });
  }
  const auto reciprocal = [&](std::int64_t i, std::int64_t size) {
    std::set<std::int64_t> result;
    for (std::int64_t n = 0; n < std::min(size, count); ++n) {
      const auto& theirs = order[order[i][n]];
      if (std::count(theirs.begin(), theirs.begin() + std::min(size, count), i) > 0)
        result.insert(order[i][n]);
    }
    return result;
  };
  Matrix encoding(count, std::vector<double>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto core = reciprocal(i, k1 + 1);
    auto all = core;
    for (const std::int64_t j : core) {
      const auto half = reciprocal(j, static_cast<std::int64_t>(std::nearbyint(k1 / 2.0)) + 1);
      std::vector<std::int64_t> shared;
      std::set_intersection(core.begin(), core.end(), half.begin(), half.end(), std::back_inserter(shared));
      if (static_cast<double>(shared.size()) > 2.0 / 3.0 * static_cast<double>(half.size()))
        all.insert(half.begin(), half.end());
    }
    double sum = 0;
    for (const std::int64_t j : all)
      sum += encoding[i][j] = std::exp(-original[i][j]);
    for (double& weight : encoding[i])
      weight /= sum;
  }
  Matrix mean(count, std::vector<double>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    for (int n = 0; n < k2; ++n) {
      for (std::int64_t j = 0; j < count; ++j)
        mean[i][j] += encoding[order[i][n]][j] / k2;
    }
  }
  Matrix result(queries, std::vector<double>(count - queries));
  for (std::int64_t q = 0; q < queries; ++q) {
    for (std::int64_t g = queries; g < count; ++g) {
      double shared = 0;
      for (std::int64_t j = 0; j < count; ++j)
        shared += std::min(mean[q][j], mean[g][j]);
      result[q][g - queries] = (1 - lambda) * (1 - shared / (2 - shared)) + lambda * original[q][g];
    }
  }
  return result;
}

struct Case {
  std::int64_t queries;
  std::int64_t images;
  RerankOptions options;
};

class Rerank : public testing::TestWithParam<Case> {};

TEST_P(Rerank, AgreesWithTheDefinition) {
  const auto& [queries, images, options] = GetParam();
  constexpr std::int64_t kDims = 9;
  const std::vector<float> features = random_values(images * kDims, 11);
  const Matrix expected = rerank_plainly(features, kDims, queries, options.k1, options.k2, options.lambda);
  const std::span<const float> all = features;
  int calls = 0;
  std::vector<std::vector<float>> found(queries);
  for_each_reranked_row(
      all.first(queries * kDims), all.subspan(queries * kDims), kDims, options,
      [&](std::int64_t q, std::span<float> row, int) { found[q].assign(row.begin(), row.end()); });
  for (std::int64_t q = 0; q < queries; ++q) {
    ASSERT_EQ(found[q].size(), expected[q].size());
    for (std::size_t g = 0; g < found[q].size(); ++g, ++calls)
      ASSERT_NEAR(found[q][g], expected[q][g], 1e-5);
  }
  EXPECT_EQ(calls, queries * (images - queries));
}

// 700 images make more than one tile; 25 / 2 is rounded to even; 12 images are fewer than k1.
INSTANTIATE_TEST_SUITE_P(Sizes, Rerank,
                         testing::Values(Case{5, 60, {6, 3, 0.3}}, Case{90, 700, {20, 6, 0.3}},
                                         Case{20, 200, {25, 1, 0.5}}, Case{3, 12, {50, 4, 0}},
                                         Case{1, 2, {1, 1, 1}}, Case{600, 1200, {10, 15, 0.3}}));

TEST(RerankRows, EqualImagesGiveFiniteDistances) {
  const std::vector<float> ones(12 * 4, 1.0F);
  const std::span<const float> all = ones;
  for_each_reranked_row(all.first(2 * 4), all.subspan(2 * 4), 4, {5, 2, 0.3},
                        [](std::int64_t, std::span<float> row, int) {
                          for (const float distance : row)
                            EXPECT_TRUE(std::isfinite(distance));
                        });
}

TEST(NearestNeighbours, EqualImagesComeInOrder) {
  // 1100 images in three blocks, all equal to one of five points.
  constexpr std::int64_t kImages = 1100;
  std::vector<float> values(kImages);
  for (std::int64_t i = 0; i < kImages; ++i)
    values[i] = static_cast<float>(i % 5);
  const JointImages images{std::span(values).first(300), std::span(values).subspan(300), 1};
  const NeighbourLists lists = nearest_neighbours(images, 40);
  for (std::int64_t i = 0; i < kImages; ++i) {
    for (std::int64_t n = 0; n < 40; ++n)
      ASSERT_EQ(lists.of(i, 40)[n], i % 5 + 5 * n);
    const auto farthest = static_cast<float>(std::max(i % 5, 4 - i % 5));
    ASSERT_EQ(lists.largest[i], farthest * farthest);
  }
}

} // namespace
} // namespace vlreid
