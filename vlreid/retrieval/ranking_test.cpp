#include "vlreid/retrieval/ranking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "vlreid/base/error.h"
#include "vlreid/base/random.h"
#include "vlreid/retrieval/distances.h"

namespace vlreid {
namespace {

std::vector<std::int64_t> indices(std::span<const Neighbour> neighbours) {
  std::vector<std::int64_t> result;
  for (const Neighbour& neighbour : neighbours)
    result.push_back(neighbour.index);
  return result;
}

std::vector<std::int64_t> stable_order(std::span<const float> distances) {
  std::vector<std::int64_t> order(distances.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return distances[a] < distances[b]; });
  return order;
}

TEST(TopK, NearestFirstAndEqualsInOrder) {
  const std::vector<float> distances{3, -1, 2, -1, 0};
  EXPECT_EQ(indices(top_k(distances, 3)), (std::vector<std::int64_t>{1, 3, 4}));
  EXPECT_FLOAT_EQ(top_k(distances, 1)[0].distance, -1);
  EXPECT_EQ(indices(top_k(distances, 9)), (std::vector<std::int64_t>{1, 3, 4, 2, 0}));
  EXPECT_TRUE(top_k(distances, 0).empty());
  EXPECT_TRUE(top_k(std::span<const float>{}, 3).empty());
}

TEST(TopK, ZerosOfBothSignsAreEqualAndNanIsLeftOut) {
  const std::vector<float> distances{0.0F, -0.0F, std::numeric_limits<float>::quiet_NaN(),
                                     std::numeric_limits<float>::infinity()};
  EXPECT_EQ(indices(top_k(distances, 4)), (std::vector<std::int64_t>{0, 1, 3}));
}

TEST(TopK, AgreesWithAFullSort) {
  Random random({3});
  for (const std::int64_t count : {1, 31, 32, 33, 1000, 5000}) {
    std::vector<float> distances(count);
    for (float& distance : distances)
      distance = static_cast<float>(random.below(400)) - 200;
    const std::vector<std::int64_t> order = stable_order(distances);
    for (const std::int64_t k : {1, 5, 50}) {
      const auto expected = std::span(order).first(std::min(k, count));
      EXPECT_TRUE(std::ranges::equal(indices(top_k(distances, k)), expected)) << count << " " << k;
    }
  }
}

TEST(TopK, OfFeatureSets) {
  // Squared distances of (1, 0) to (0, 0), (1, 1), (3, 0): 1, 1, 4; of (3, 1): 10, 4, 1.
  const std::vector<float> query{1, 0, 3, 1};
  const std::vector<float> gallery{0, 0, 1, 1, 3, 0};
  const std::vector<std::int64_t> none(3);
  const auto found = top_k({query, 2, std::span(none).first(2), {}}, {gallery, 2, none, {}}, 2);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(indices(found[0]), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(indices(found[1]), (std::vector<std::int64_t>{2, 1}));
  EXPECT_FLOAT_EQ(found[1][1].distance, 4);
}

TEST(RanksOf, AgreesWithAFullSort) {
  Random random({4});
  for (const std::int64_t count : {1, 7, 64, 777, 4000}) {
    for (const std::uint64_t distinct : {1, 10, 100000}) {
      std::vector<float> distances(count);
      for (float& distance : distances)
        distance = static_cast<float>(random.below(distinct)) / 16 - 1;
      std::vector<std::int64_t> rank(count);
      const std::vector<std::int64_t> order = stable_order(distances);
      for (std::int64_t place = 0; place < count; ++place)
        rank[order[place]] = place;
      for (const double share : {0.01, 0.3, 1.0}) {
        std::vector<std::int64_t> targets;
        std::vector<std::int64_t> expected;
        for (std::int64_t i = 0; i < count; ++i) {
          if (!random.chance(share)) continue;
          targets.push_back(i);
          expected.push_back(rank[i]);
        }
        EXPECT_EQ(ranks_of(distances, targets), expected) << count << " " << distinct << " " << share;
      }
    }
  }
}

TEST(Distances, DoNotDependOnTheSizeOfBlocks) {
  Random random({5});
  std::vector<float> query(37 * 12);
  std::vector<float> gallery(91 * 12);
  for (float& value : query)
    value = static_cast<float>(random.normal());
  for (float& value : gallery)
    value = static_cast<float>(random.normal());
  for (const std::int64_t bytes : {1, 5000, 1 << 20}) {
    std::vector<int> calls(37);
    for_each_distance_row(query, gallery, 12,
                          [&](std::int64_t q, std::span<float> row, int) {
                            ++calls[q];
                            ASSERT_EQ(row.size(), 91U);
                            for (std::int64_t g = 0; g < 91; ++g) {
                              double expected = 0;
                              for (int d = 0; d < 12; ++d)
                                expected += std::pow(double{query[q * 12 + d]} - gallery[g * 12 + d], 2);
                              EXPECT_NEAR(row[g], expected, 1e-4);
                            }
                          },
                          {.block_bytes = bytes});
    EXPECT_EQ(calls, std::vector<int>(37, 1));
  }
}

TEST(Distances, NormaliseOnTheWayAsIfBefore) {
  constexpr std::int64_t kDims = 23;
  constexpr std::int64_t kGallery = 2500; // more than one part
  Random random({6});
  std::vector<float> query(5 * kDims);
  std::vector<float> gallery(kGallery * kDims);
  for (std::vector<float>* values : {&query, &gallery}) {
    for (float& value : *values)
      value = static_cast<float>(10 * random.normal());
  }
  std::vector<std::vector<float>> rows(5);
  for_each_distance_row(
      query, gallery, kDims,
      [&](std::int64_t q, std::span<float> row, int) { rows[q] = {row.begin(), row.end()}; },
      {.normalise = true});
  normalise_rows(query, kDims);
  normalise_rows(gallery, kDims);
  for_each_distance_row(query, gallery, kDims, [&](std::int64_t q, std::span<float> row, int) {
    EXPECT_EQ(rows[q], std::vector<float>(row.begin(), row.end())) << q;
  });
}

TEST(Distances, NameTheBadRowOfAPart) {
  std::vector<float> gallery(4000, 1);
  gallery[3000] = std::numeric_limits<float>::quiet_NaN();
  for (const bool normalise : {false, true}) {
    try {
      for_each_distance_row(std::vector<float>{1}, gallery, 1, [](std::int64_t, std::span<float>, int) {},
                            {.normalise = normalise});
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("gallery features"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("row 3000 "), std::string::npos) << error.what();
    }
  }
}

} // namespace
} // namespace vlreid
