#include "vlreid/retrieval/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "vlreid/base/error.h"
#include "vlreid/base/random.h"

namespace vlreid {
namespace {

using Labels = std::vector<std::int64_t>;

// Labels without features, for evaluate_distances().
FeatureSet labels(const Labels& identities, const Labels& cameras, const Labels& items = {}) {
  return {{}, 0, identities, cameras, items};
}

// Owns what a FeatureSet views.
struct Images {
  std::vector<float> values;
  std::int64_t dims = 0;
  Labels identities;
  Labels cameras = {};

  FeatureSet set() const { return {values, dims, identities, cameras}; }
};

template <typename Call>
std::string message_of(ErrorKind kind, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(Evaluate, ThreeQueriesWorkedOutByHand) {
  // Gallery         g0      g1      g2      g3
  // identity/camera 1/1     1/2     2/2     2/1
  const Labels gallery_identities{1, 1, 2, 2};
  const Labels gallery_cameras{1, 2, 2, 1};
  const Labels query_identities{1, 2, 3};
  const Labels query_cameras{1, 3, 1};
  // q0 (1/1): g0 is junk. Order g2 g1 g3: the match g1 is second. AP 1/2; trapezoid (0/1 + 1/2) / 2 = 1/4;
  // INP 1/2. q1 (2/3): no junk. Order g3 g0 g2 g1: matches are first and third. AP (1/1 + 2/3) / 2 = 5/6;
  //           trapezoid ((1 + 1)/2 + (1/2 + 2/3)/2) / 2 = (1 + 7/12) / 2 = 19/24; INP 2/3.
  // q2 (3/1): nobody of identity 3, skipped.
  const std::vector<float> distances{0.1F, 0.5F, 0.2F, 0.9F, //
                                     0.3F, 0.8F, 0.4F, 0.1F, //
                                     0.1F, 0.2F, 0.3F, 0.4F};
  const Metrics metrics = evaluate_distances(distances, labels(query_identities, query_cameras),
                                             labels(gallery_identities, gallery_cameras),
                                             {.max_rank = 3, .per_query = true, .list_length = 2});
  EXPECT_EQ(metrics.counted_queries, 2);
  EXPECT_EQ(metrics.skipped_queries, 1);
  EXPECT_DOUBLE_EQ(metrics.mean_average_precision, (1.0 / 2 + 5.0 / 6) / 2);
  EXPECT_DOUBLE_EQ(metrics.mean_average_precision_trapezoid, (1.0 / 4 + 19.0 / 24) / 2);
  EXPECT_DOUBLE_EQ(metrics.mean_inverse_negative_penalty, (1.0 / 2 + 2.0 / 3) / 2);
  EXPECT_EQ(metrics.cmc, (std::vector<double>{0.5, 1, 1}));

  ASSERT_EQ(metrics.per_query.size(), 3U);
  EXPECT_EQ(metrics.per_query[0].first_hit_rank, 2);
  EXPECT_EQ(metrics.per_query[1].matches, 2);
  EXPECT_EQ(metrics.per_query[2].matches, 0);
  const std::vector<RankedImage>& list = metrics.per_query[0].list;
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].index, 0);
  EXPECT_TRUE(list[0].is_match && list[0].is_junk);
  EXPECT_EQ(list[1].index, 2);
  EXPECT_FALSE(list[1].is_match || list[1].is_junk);
  EXPECT_FLOAT_EQ(list[1].distance, 0.2F);
}

TEST(Evaluate, EqualDistancesKeepGalleryOrder) {
  const Labels query{1};
  const std::vector<float> distances{0.5F, 0.5F, 0.5F};
  const auto first_hit = [&](const Labels& gallery) {
    return evaluate_distances(distances, labels(query, {}), labels(gallery, {}), {.per_query = true})
        .per_query[0]
        .first_hit_rank;
  };
  EXPECT_EQ(first_hit({1, 2, 2}), 1);
  EXPECT_EQ(first_hit({2, 1, 2}), 2);
  EXPECT_EQ(first_hit({2, 2, 1}), 3);
}

TEST(Evaluate, WithoutCamerasOnlyTheQueryImageIsLeftOut) {
  const Labels identities{1, 1, 2};
  const Labels items{10, 11, 12};
  const std::vector<float> distances{0,    1,    0.5F, //
                                     1,    0,    0.5F, //
                                     0.5F, 0.5F, 0};
  const FeatureSet all = labels(identities, {}, items);
  const Metrics metrics = evaluate_distances(distances, all, all);
  // Both images of identity 1 find each other behind image 2; image 2 has nobody but itself.
  EXPECT_EQ(metrics.counted_queries, 2);
  EXPECT_EQ(metrics.skipped_queries, 1);
  EXPECT_DOUBLE_EQ(metrics.cmc[0], 0);
  EXPECT_DOUBLE_EQ(metrics.cmc[1], 1);
}

TEST(Evaluate, SingleIdentityIsPerfect) {
  const Images query{{1, 0}, 2, {7}, {1}};
  const Images gallery{{0, 1, 1, 1}, 2, {7, 7}, {2, 3}};
  const Metrics metrics = evaluate(query.set(), gallery.set());
  EXPECT_DOUBLE_EQ(metrics.mean_average_precision, 1);
  EXPECT_DOUBLE_EQ(metrics.mean_inverse_negative_penalty, 1);
  EXPECT_EQ(metrics.cmc, std::vector<double>(50, 1));
}

TEST(Evaluate, OnlyJunkSkipsTheQuery) {
  const Images query{{1, 0}, 2, {7}, {1}};
  const Images gallery{{1, 0, 0, 1}, 2, {7, 8}, {1, 1}};
  const Metrics metrics = evaluate(query.set(), gallery.set());
  EXPECT_EQ(metrics.counted_queries, 0);
  EXPECT_EQ(metrics.skipped_queries, 1);
  EXPECT_DOUBLE_EQ(metrics.mean_average_precision, 0);
  EXPECT_EQ(metrics.cmc, std::vector<double>(50, 0));
}

TEST(Evaluate, EmptySetsGiveZeros) {
  const Images none{{}, 2, {}, {}};
  const Images one{{1, 0}, 2, {7}, {1}};
  EXPECT_EQ(evaluate(none.set(), one.set()).counted_queries, 0);
  EXPECT_EQ(evaluate(one.set(), none.set()).skipped_queries, 1);
  EXPECT_EQ(evaluate(one.set(), none.set(), {.rerank = RerankOptions{}}).skipped_queries, 1);
  EXPECT_EQ(evaluate(none.set(), none.set()).cmc.size(), 50U);
}

TEST(Evaluate, DuplicatedFeaturesRankInGalleryOrder) {
  // 40 equal gallery rows; the match is the last one.
  Images query{std::vector<float>(24, 0.5F), 24, {1}, {1}};
  Images gallery{std::vector<float>(40 * 24, 0.5F), 24, Labels(40, 2), Labels(40, 2)};
  gallery.identities.back() = 1;
  const Metrics metrics = evaluate(query.set(), gallery.set(), {.per_query = true});
  EXPECT_EQ(metrics.per_query[0].first_hit_rank, 40);
}

TEST(Evaluate, BadValuesAreNamedByRow) {
  Images query{{1, 0, 0, 1}, 2, {7, 8}, {1, 1}};
  const Images gallery{{1, 0}, 2, {7}, {2}};
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30F}) {
    query.values[3] = bad;
    const std::string message = message_of(ErrorKind::data, [&] { evaluate(query.set(), gallery.set()); });
    EXPECT_NE(message.find("query features: row 1 "), std::string::npos) << message;
    message_of(ErrorKind::data, [&] { evaluate(query.set(), gallery.set(), {.normalise = false}); });
    message_of(ErrorKind::data, [&] { evaluate(gallery.set(), query.set(), {.rerank = RerankOptions{}}); });
  }
}

TEST(Evaluate, SetsThatDoNotFitAreRefused) {
  const Images good{{1, 0}, 2, {7}, {1}};
  const auto refuse = [&](const Images& query) {
    return message_of(ErrorKind::data, [&] { evaluate(query.set(), good.set()); });
  };
  EXPECT_NE(refuse({{1, 0, 0}, 3, {7}, {1}}).find("3 numbers a query and 2 a gallery image"),
            std::string::npos);
  EXPECT_NE(refuse({{1, 0, 0}, 2, {7}, {1}}).find("3 numbers for 1 identities"), std::string::npos);
  refuse({{1, 0}, 2, {7, 8}, {1, 1}});
  refuse({{1, 0}, 2, {7}, {1, 2}});
  refuse({{1, 0}, 2, {7}, {}});
  refuse({{}, 0, {7}, {1}});
  refuse({{1, 0}, std::numeric_limits<std::int64_t>::max(), {7}, {1}});
  const std::vector<float> short_distances;
  message_of(ErrorKind::data, [&] { evaluate_distances(short_distances, good.set(), good.set()); });
}

TEST(Evaluate, BadOptionsAreRefused) {
  const Images good{{1, 0}, 2, {7}, {1}};
  const auto refuse = [&](const EvaluateOptions& options) {
    message_of(ErrorKind::usage, [&] { evaluate(good.set(), good.set(), options); });
  };
  refuse({.max_rank = 0});
  refuse({.list_length = -1});
  refuse({.rerank = RerankOptions{.k1 = 0}});
  refuse({.rerank = RerankOptions{.k2 = 0}});
  refuse({.rerank = RerankOptions{.lambda = 1.5}});
  refuse({.rerank = RerankOptions{.lambda = std::nan("")}});
}

TEST(AverageTrials, MeanOfScoresAndSumOfQueries) {
  const Metrics a{.mean_average_precision = 0.2, .cmc = {0, 1}, .counted_queries = 3, .skipped_queries = 1};
  const Metrics b{.mean_average_precision = 0.6, .cmc = {1, 1}, .counted_queries = 5};
  const Metrics mean = average_trials(std::vector{a, b});
  EXPECT_DOUBLE_EQ(mean.mean_average_precision, 0.4);
  EXPECT_EQ(mean.cmc, (std::vector<double>{0.5, 1}));
  EXPECT_EQ(mean.counted_queries, 8);
  EXPECT_EQ(mean.skipped_queries, 1);
  message_of(ErrorKind::usage, [] { average_trials({}); });
  message_of(ErrorKind::usage, [&] { average_trials(std::vector{a, Metrics{}}); });
}

// The definition, without any shortcut: sort everything, drop junk, walk down the list.
double plain_average_precision(std::span<const float> distances, std::int64_t identity, std::int64_t camera,
                               const Labels& identities, const Labels& cameras) {
  Labels order(distances.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return distances[a] < distances[b]; });
  double rank = 0;
  double hits = 0;
  double sum = 0;
  for (const std::int64_t row : order) {
    if (identities[row] == identity && cameras[row] == camera) continue;
    ++rank;
    if (identities[row] == identity) sum += ++hits / rank;
  }
  return hits > 0 ? sum / hits : 0;
}

TEST(Evaluate, AgreesWithTheDefinitionOnManyTies) {
  Random random({17});
  for (const std::int64_t images : {1, 7, 8, 33, 500, 3000}) {
    const auto draw = [&](std::int64_t count, std::uint64_t below) {
      Labels result(count);
      for (auto& value : result)
        value = static_cast<std::int64_t>(random.below(below));
      return result;
    };
    // Two identities in 3000 images: more matches than are counted one by one.
    const std::uint64_t identities = images == 3000 ? 2 : 5;
    const Labels query_identities = draw(20, identities + 1);
    const Labels query_cameras = draw(20, 3);
    const Labels gallery_identities = draw(images, identities);
    const Labels gallery_cameras = draw(images, 3);
    std::vector<float> distances(20 * images);
    for (float& distance : distances)
      distance = static_cast<float>(random.below(9)) - 2;
    const Metrics metrics =
        evaluate_distances(distances, labels(query_identities, query_cameras),
                           labels(gallery_identities, gallery_cameras), {.per_query = true});
    for (std::int64_t q = 0; q < 20; ++q) {
      const auto row = std::span<const float>(distances).subspan(q * images, images);
      EXPECT_NEAR(metrics.per_query[q].average_precision,
                  plain_average_precision(row, query_identities[q], query_cameras[q], gallery_identities,
                                          gallery_cameras),
                  1e-12);
    }
  }
}

} // namespace
} // namespace vlreid
