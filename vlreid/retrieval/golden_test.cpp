// Every set of golden/clipreid/eval and golden/multimodal/evaluation: distances, scores and re-ranked
// distances of the references.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/golden.h"
#include "vlreid/archive/safetensors.h"
#include "vlreid/retrieval/distances.h"
#include "vlreid/retrieval/evaluate.h"

namespace vlreid {
namespace {

constexpr double kScoreTolerance = 1e-6;
constexpr float kDistanceTolerance = 1e-5F;

// A golden set: the first rows of its features are the queries, the others the gallery.
struct GoldenSet {
  GoldenSet(const SafetensorsFile& file, const std::string& name, std::int64_t queries) {
    const TensorEntry& features = file.at(name + "/feats");
    dims = features.shape[1];
    const auto numbers = vlreid::values<float>(features);
    const auto identities = vlreid::values<std::int64_t>(file.at(name + "/pids"));
    const auto cameras = vlreid::values<std::int64_t>(file.at(name + "/camids"));
    query = {numbers.first(queries * dims), dims, identities.first(queries), cameras.first(queries)};
    gallery = {numbers.subspan(queries * dims), dims, identities.subspan(queries), cameras.subspan(queries)};
  }

  std::int64_t dims = 0;
  FeatureSet query;
  FeatureSet gallery;
};

void expect_cmc(std::span<const double> found, std::span<const float> expected) {
  ASSERT_GE(found.size(), expected.size());
  for (std::size_t rank = 0; rank < found.size(); ++rank) {
    // The reference's curve ends with the gallery; ours goes on with its last value.
    EXPECT_NEAR(found[rank], expected[std::min(rank, expected.size() - 1)], kScoreTolerance)
        << "rank " << rank + 1;
  }
}

float largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

std::vector<float> normalised(const FeatureSet& set) {
  std::vector<float> values(set.values.size());
  normalise_rows(set.values, set.dims, values);
  return values;
}

// Collects the rows of a stream in a matrix.
class Collector {
public:
  Collector(const FeatureSet& query, const FeatureSet& gallery)
      : columns_(gallery.size()), matrix_(query.size() * gallery.size()) {}
  RowConsumer consumer() {
    return [this](std::int64_t q, std::span<float> distances, int) {
      std::copy(distances.begin(), distances.end(), matrix_.begin() + q * columns_);
    };
  }
  std::span<const float> matrix() const { return matrix_; }

private:
  std::int64_t columns_;
  std::vector<float> matrix_;
};

class EvalGolden : public testing::Test {
protected:
  void SetUp() override {
    VLREID_GOLDEN(path, "clipreid/eval.safetensors");
    file_ = std::make_unique<SafetensorsFile>(path);
    facts_ = read_golden_json("clipreid/eval.json");
  }
  GoldenSet set(const std::string& name) const { return {*file_, name, facts_[name]["num_query"]}; }
  std::span<const float> floats(const std::string& name) const { return values<float>(file_->at(name)); }

  void expect_distances(const std::string& name) const {
    const GoldenSet data = set(name);
    Collector collector(data.query, data.gallery);
    for_each_distance_row(normalised(data.query), normalised(data.gallery), data.dims, collector.consumer());
    EXPECT_LE(largest_difference(collector.matrix(), floats(name + "/norm/distmat")), kDistanceTolerance);
  }

  std::unique_ptr<SafetensorsFile> file_;
  nlohmann::json facts_;
};

TEST_F(EvalGolden, DistancesOfNormalisedFeatures) {
  expect_distances("random");
  expect_distances("junk");
}

TEST_F(EvalGolden, RandomSetNormalisedAndRaw) {
  const GoldenSet data = set("random");
  const Metrics normalised_scores = evaluate(data.query, data.gallery);
  EXPECT_NEAR(normalised_scores.mean_average_precision, facts_["random"]["norm"]["mAP"], kScoreTolerance);
  EXPECT_NEAR(normalised_scores.cmc[0], facts_["random"]["norm"]["rank1"], kScoreTolerance);
  const Metrics raw = evaluate(data.query, data.gallery, {.normalise = false});
  EXPECT_NEAR(raw.mean_average_precision, facts_["random"]["raw"]["mAP"], kScoreTolerance);
  expect_cmc(raw.cmc, floats("random/raw/cmc"));
}

TEST_F(EvalGolden, JunkQueriesAreSkipped) {
  const GoldenSet data = set("junk");
  const Metrics metrics = evaluate(data.query, data.gallery);
  EXPECT_EQ(metrics.counted_queries, facts_["junk"]["valid_queries"]);
  EXPECT_EQ(metrics.counted_queries + metrics.skipped_queries, facts_["junk"]["num_query"]);
  EXPECT_NEAR(metrics.mean_average_precision, facts_["junk"]["mAP"], kScoreTolerance);
  expect_cmc(metrics.cmc, floats("junk/norm/cmc"));
}

TEST_F(EvalGolden, ExactTiesInFeatures) {
  const GoldenSet data = set("ties");
  const Metrics metrics = evaluate(data.query, data.gallery);
  EXPECT_NEAR(metrics.mean_average_precision, facts_["ties"]["mAP"], kScoreTolerance);
  expect_cmc(metrics.cmc, floats("ties/norm/cmc"));
}

TEST_F(EvalGolden, CurveOfSmallGalleryGoesOnWithItsLastValue) {
  const GoldenSet data = set("small");
  const Metrics metrics = evaluate(data.query, data.gallery);
  EXPECT_EQ(metrics.cmc.size(), 50U);
  EXPECT_NEAR(metrics.mean_average_precision, facts_["small"]["mAP"], kScoreTolerance);
  expect_cmc(metrics.cmc, floats("small/norm/cmc"));
}

TEST_F(EvalGolden, TiesBetweenMatchesAndOthersFollowGalleryOrder) {
  const auto labels = [&](const char* name) {
    return values<std::int64_t>(file_->at(std::string("ties_matter/") + name));
  };
  const FeatureSet query{{}, 0, labels("q_pids"), labels("q_camids")};
  const FeatureSet gallery{{}, 0, labels("g_pids"), labels("g_camids")};
  const Metrics metrics = evaluate_distances(floats("ties_matter/distmat"), query, gallery);
  EXPECT_NEAR(metrics.mean_average_precision, facts_["ties_matter"]["mAP_stable_sort"], kScoreTolerance);
  expect_cmc(metrics.cmc, floats("ties_matter/cmc_stable"));
}

TEST_F(EvalGolden, VehicleIdTrials) {
  const auto numbers = floats("vehicleid/feats");
  const auto identities = values<std::int64_t>(file_->at("vehicleid/pids"));
  const std::int64_t dims = file_->at("vehicleid/feats").shape[1];
  struct Subset {
    std::vector<float> numbers;
    std::vector<std::int64_t> identities;
  };
  const auto select = [&](const nlohmann::json& rows) {
    Subset subset;
    for (const std::int64_t row : rows) {
      const auto values = numbers.subspan(row * dims, dims);
      subset.numbers.insert(subset.numbers.end(), values.begin(), values.end());
      subset.identities.push_back(identities[row]);
    }
    return subset;
  };
  std::vector<Metrics> trials;
  for (const nlohmann::json& trial : facts_["vehicleid"]["trials"]) {
    const Subset query = select(trial["query"]);
    const Subset gallery = select(trial["gallery"]);
    trials.push_back(evaluate({query.numbers, dims, query.identities, {}},
                              {gallery.numbers, dims, gallery.identities, {}}));
    EXPECT_NEAR(trials.back().mean_average_precision, trial["mAP"], kScoreTolerance);
    EXPECT_NEAR(trials.back().cmc[0], trial["rank1"], kScoreTolerance);
    EXPECT_NEAR(trials.back().cmc[4], trial["rank5"], kScoreTolerance);
  }
  ASSERT_EQ(trials.size(), 10U);
  const Metrics mean = average_trials(trials);
  EXPECT_NEAR(mean.mean_average_precision, facts_["vehicleid"]["mean_mAP"], kScoreTolerance);
  EXPECT_NEAR(mean.cmc[0], facts_["vehicleid"]["mean_rank1"], kScoreTolerance);
  EXPECT_NEAR(mean.cmc[4], facts_["vehicleid"]["mean_rank5"], kScoreTolerance);
}

struct RerankCase {
  std::string name;
  RerankOptions options;
};

class RerankGolden : public EvalGolden, public testing::WithParamInterface<RerankCase> {};

TEST_P(RerankGolden, DistancesAndScores) {
  const auto& [name, options] = GetParam();
  const std::string prefix = "random/" + name;
  const GoldenSet data = set("random");
  const nlohmann::json& facts = facts_["random"][name];
  const Metrics metrics = evaluate(data.query, data.gallery, {.rerank = options});
  EXPECT_NEAR(metrics.mean_average_precision, facts["mAP_float32"], kScoreTolerance);
  EXPECT_NEAR(metrics.cmc[0], facts["rank1_float32"], kScoreTolerance);
  if (facts.contains("mAP_ref_half")) {
    EXPECT_NEAR(metrics.mean_average_precision, facts["mAP_ref_half"], 1e-3);
  }
  if (file_->has(prefix + "/cmc_float32")) expect_cmc(metrics.cmc, floats(prefix + "/cmc_float32"));

  Collector collector(data.query, data.gallery);
  for_each_reranked_row(normalised(data.query), normalised(data.gallery), data.dims, options,
                        collector.consumer());
  if (file_->has(prefix + "/distmat_float32")) {
    EXPECT_LE(largest_difference(collector.matrix(), floats(prefix + "/distmat_float32")),
              kDistanceTolerance);
  }
  if (file_->has(prefix + "/distmat_ref_half")) {
    EXPECT_LE(largest_difference(collector.matrix(), floats(prefix + "/distmat_ref_half")), 5e-3F);
  }
}

INSTANTIATE_TEST_SUITE_P(Settings, RerankGolden,
                         testing::Values(RerankCase{"rerank_50_15_03", {50, 15, 0.3}},
                                         RerankCase{"rerank_20_6_03", {20, 6, 0.3}},
                                         RerankCase{"rerank_20_6_00", {20, 6, 0.0}},
                                         RerankCase{"rerank_20_1_03", {20, 1, 0.3}}),
                         [](const auto& test) { return test.param.name; });

// ---- Multimodal-ReID

// A set of golden/multimodal/evaluation: "small", "large" or "ties".
class MultimodalEval : public testing::Test {
protected:
  void SetUp() override {
    VLREID_GOLDEN(path, "multimodal/evaluation.safetensors");
    file_ = std::make_unique<SafetensorsFile>(path);
    facts_ = read_golden_json("multimodal/evaluation.json");
  }

  FeatureSet set(const std::string& name, const std::string& side) const {
    const TensorEntry& features = file_->at(name + "." + side);
    return {values<float>(features), features.shape[1],
            values<std::int64_t>(file_->at(name + "." + side + "_pids")),
            values<std::int64_t>(file_->at(name + "." + side + "_cams"))};
  }

  void expect_scores(const std::string& name, const std::string& facts, const EvaluateOptions& options,
                     double tolerance = kScoreTolerance) const {
    const Metrics metrics = evaluate(set(name, "query"), set(name, "gallery"), options);
    EXPECT_NEAR(metrics.mean_average_precision, facts_[facts]["mAP"], tolerance) << facts;
    const auto cmc = facts_[facts]["cmc"].get<std::vector<float>>();
    if (tolerance == kScoreTolerance) expect_cmc(metrics.cmc, cmc);
    for (const std::size_t rank : {0U, 4U, 9U})
      EXPECT_NEAR(metrics.cmc[rank], cmc[rank], tolerance) << facts << " rank " << rank + 1;
  }

  std::span<const float> floats(const std::string& name) const { return values<float>(file_->at(name)); }

  std::unique_ptr<SafetensorsFile> file_;
  nlohmann::json facts_;
};

// The reference accumulates the encoding in half precision; in lists as short as these one rounding moves a
// distance by up to 6e-3, and a rank.
constexpr double kHalfScores = 2e-3;
constexpr float kHalfDistances = 6e-3F;

TEST_F(MultimodalEval, ScoresNormalisedAndRaw) {
  for (const std::string name : {"small", "large"}) {
    expect_scores(name, name + ".norm.plain", {});
    expect_scores(name, name + ".raw.plain", {.normalise = false});
  }
}

TEST_F(MultimodalEval, ScoresReranked) {
  for (const std::string name : {"small", "large"}) {
    expect_scores(name, name + ".norm.rerank50_15", {.rerank = RerankOptions{50, 15, 0.3}}, kHalfScores);
    expect_scores(name, name + ".norm.rerank50_15_check", {.rerank = RerankOptions{50, 15, 0.3}},
                  kHalfScores);
    expect_scores(name, name + ".norm.rerank20_6_check", {.rerank = RerankOptions{20, 6, 0.3}}, kHalfScores);
    expect_scores(name, name + ".raw.rerank50_15", {.normalise = false, .rerank = RerankOptions{50, 15, 0.3}},
                  kHalfScores);
  }
}

TEST_F(MultimodalEval, Distances) {
  for (const std::string name : {"small", "large"}) {
    const FeatureSet query = set(name, "query"), gallery = set(name, "gallery");
    Collector plain(query, gallery);
    for_each_distance_row(normalised(query), normalised(gallery), query.dims, plain.consumer());
    EXPECT_LE(largest_difference(plain.matrix(), floats(name + ".distance")), kDistanceTolerance);
    std::vector<float> angles(plain.matrix().size());
    std::ranges::transform(plain.matrix(), angles.begin(), [](float d) { return std::acos(1 - d / 2); });
    EXPECT_LE(largest_difference(angles, floats(name + ".cosine_arccos")), 1e-4F);
    for (const auto& [suffix, options] :
         {std::pair{"50_15", RerankOptions{50, 15, 0.3}}, std::pair{"20_6", RerankOptions{20, 6, 0.3}}}) {
      Collector reranked(query, gallery);
      for_each_reranked_row(normalised(query), normalised(gallery), query.dims, options, reranked.consumer());
      EXPECT_LE(largest_difference(reranked.matrix(), floats(name + ".rerank_" + suffix)), kHalfDistances);
    }
  }
}

// Equal distances keep the gallery order, unlike the reference's sort (its value "ties" depends on the
// processor).
TEST_F(MultimodalEval, TiesKeepTheGalleryOrder) {
  expect_scores("ties", "ties_stable", {});
}

} // namespace
} // namespace vlreid
