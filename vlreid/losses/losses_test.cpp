#include "vlreid/losses/losses.h"

#include "tests/support/golden.h"
#include "tests/support/tensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <cmath>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

at::Tensor numbers(std::vector<double> values, at::IntArrayRef shape) {
  return at::tensor(values, at::kFloat).reshape(shape);
}
at::Tensor labels(std::vector<std::int64_t> values) {
  return at::tensor(values, at::kLong);
}

// The cases of golden/clipreid/losses.
class LossesGolden : public testing::Test {
protected:
  void SetUp() override {
    VLREID_GOLDEN(path, "clipreid/losses.safetensors");
    file_ = std::make_unique<SafetensorsFile>(path);
    facts_ = read_golden_json("clipreid/losses.json");
  }

  at::Tensor get(const std::string& name) const { return golden_tensor(*file_, name); }
  // An input that wants a gradient.
  at::Tensor leaf(const std::string& name) const { return get(name).requires_grad_(); }
  bool has(const std::string& name) const { return file_->has(name); }

  // Cases whose name starts with `family` and that have a value.
  std::vector<std::string> cases(const std::string& family) const {
    std::vector<std::string> names;
    for (const auto& [name, facts] : facts_.items())
      if (name.starts_with(family) && facts.is_object() && facts.contains("value")) names.push_back(name);
    return names;
  }

  void expect_value(const at::Tensor& value, const std::string& name) const {
    expect_close(value, get(name + "/value"), {.rel = 1e-5}, name);
  }
  void expect_gradient(const at::Tensor& leaf, const std::string& name) const {
    expect_close(leaf.grad(), get(name), {.rel = name.find("large") == std::string::npos ? 1e-5 : 1e-4},
                 name);
  }

  const nlohmann::json& facts(const std::string& name) const { return facts_.at(name); }

private:
  std::unique_ptr<SafetensorsFile> file_;
  nlohmann::json facts_;
};

TEST_F(LossesGolden, SupervisedContrastive) {
  for (const std::string& name : cases("supcon-")) {
    const at::Tensor first = leaf(name + "/in/first"), second = leaf(name + "/in/second");
    const at::Tensor value = supervised_contrastive(first, second, get(name + "/in/first_labels"),
                                                    get(name + "/in/second_labels"));
    expect_value(value, name);
    value.backward();
    expect_gradient(first, name + "/grad/first");
    expect_gradient(second, name + "/grad/second");
  }
}

TEST_F(LossesGolden, CrossEntropy) {
  for (const std::string& name : cases("xent-")) {
    const at::Tensor logits = leaf(name + "/in/logits");
    const double smoothing = name.ends_with("plain") ? 0 : name.ends_with("0.3") ? 0.3 : 0.1;
    const at::Tensor value = cross_entropy(logits, get(name + "/in/labels"), smoothing);
    expect_value(value, name);
    value.backward();
    expect_gradient(logits, name + "/grad/logits");
  }
}

// "margin0.3-hard0.2", "soft", ...
TripletOptions triplet_options(const std::string& name) {
  TripletOptions options;
  if (name.find("/soft") != std::string::npos) options.margin.reset();
  if (name.ends_with("hard0.1")) options.hard_factor = 0.1;
  if (name.ends_with("hard0.2")) options.hard_factor = 0.2;
  options.normalise = name.ends_with("normalised");
  return options;
}

TEST_F(LossesGolden, Triplet) {
  for (const std::string& name : cases("triplet-")) {
    const std::string inputs = has(name + "/in/feat") ? name : name.substr(0, name.find('/'));
    const at::Tensor features = leaf(inputs + "/in/feat"), identities = get(inputs + "/in/labels");
    const TripletOptions options = triplet_options(name);
    const TripletDistances hardest = hardest_distances(features, identities, options);
    // Squares, since x^2 + y^2 - 2xy leaves a rounding error of them: near 0 its root is noise, also in the
    // file.
    expect_close(hardest.positive.square(), get(name + "/dist_ap").square(), {.rel = 1e-5}, name);
    expect_close(hardest.negative.square(), get(name + "/dist_an").square(), {.rel = 1e-5}, name);
    const at::Tensor value = triplet(features, identities, options);
    expect_value(value, name);
    value.backward();
    expect_gradient(features, name + "/grad/feat");
  }
}

TEST_F(LossesGolden, Center) {
  for (const std::string& name : cases("center-")) {
    const at::Tensor features = leaf(name + "/in/feat"), centers = leaf(name + "/in/centers");
    const at::Tensor value = center_loss(features, get(name + "/in/labels"), centers);
    expect_value(value, name);
    value.backward();
    expect_gradient(features, name + "/grad/feat");
    expect_gradient(centers, name + "/grad/centers");
  }
}

// What stage 2 adds up: two scores, three metric features, and the text logits where the case has them.
TEST_F(LossesGolden, Total) {
  for (const std::string& name : cases("total-")) {
    const nlohmann::json& weights = facts(name.substr(0, name.find('/')) + "/with-text");
    const double smoothing = weights["smooth"] == "on" ? 0.1 : 0;
    TripletOptions options{.margin = weights["margin"].get<double>()};
    if (weights["no_margin"].get<bool>()) options.margin.reset();
    const at::Tensor identities = get(name + "/in/labels");
    std::map<std::string, at::Tensor> inputs;
    for (const char* input : {"s1", "s2", "f1", "f2", "f3", "logits"})
      if (has(name + "/in/" + input)) inputs[input] = leaf(name + "/in/" + input);

    at::Tensor total = at::zeros({});
    for (const auto& [input, x] : inputs) {
      if (input[0] == 'f')
        total = total + weights["triplet"].get<double>() * triplet(x, identities, options);
      else
        total = total + weights[input == "logits" ? "i2t" : "id"].get<double>() *
                            cross_entropy(x, identities, smoothing);
    }
    expect_value(total, name);
    total.backward();
    for (const auto& [input, x] : inputs)
      expect_gradient(x, name + "/grad/" + input);
  }
}

// Products [[0, ln 3]]: softmax 1/4, 3/4; the positive is the second column.
TEST(Losses, SupervisedContrastiveByHand) {
  const at::Tensor logits = numbers({0, std::log(3.0)}, {1, 2});
  EXPECT_NEAR(supervised_contrastive(logits, labels({7}), labels({5, 7})).item<double>(), std::log(4.0 / 3),
              1e-6);
  // Both positive: the mean of -ln 1/4 and -ln 3/4.
  EXPECT_NEAR(supervised_contrastive(logits, labels({7}), labels({7, 7})).item<double>(),
              (std::log(4.0) + std::log(4.0 / 3)) / 2, 1e-6);
}

// Softmax 1/4, 3/4, label 1, smoothing 0.2: 0.9 * ln 4/3 + 0.1 * ln 4.
TEST(Losses, SmoothedCrossEntropyByHand) {
  EXPECT_NEAR(cross_entropy(numbers({0, std::log(3.0)}, {1, 2}), labels({1}), 0.2).item<double>(),
              0.9 * std::log(4.0 / 3) + 0.1 * std::log(4.0), 1e-6);
}

// Points 0, 1 | 3, 7 on a line, identities a a | b b. Hardest positive: 1 1 4 4; hardest negative: 3 2 2 6.
TEST(Losses, TripletByHand) {
  const at::Tensor points = numbers({0, 1, 3, 7}, {4, 1});
  const at::Tensor identities = labels({0, 0, 1, 1});
  const TripletDistances hardest = hardest_distances(points, identities);
  expect_close(hardest.positive, numbers({1, 1, 4, 4}, {4}), {.rel = 1e-5});
  expect_close(hardest.negative, numbers({3, 2, 2, 6}, {4}), {.rel = 1e-5});
  // Gaps -2 -1 2 -2, margin 0.3: only 2.3 is above 0.
  EXPECT_NEAR(triplet(points, identities).item<double>(), 2.3 / 4, 1e-5);
  const double soft =
      (2 * std::log1p(std::exp(-2.0)) + std::log1p(std::exp(-1.0)) + std::log1p(std::exp(2.0))) / 4;
  EXPECT_NEAR(triplet(points, identities, {.margin = std::nullopt}).item<double>(), soft, 1e-5);
  // d_ap 1.5 1.5 6 6, d_an 1.5 1 1 3.
  EXPECT_NEAR(triplet(points, identities, {.margin = 0, .hard_factor = 0.5}).item<double>(),
              (0 + 0.5 + 5 + 3) / 4.0, 1e-5);
}

TEST(Losses, ExactDuplicatesHaveNoGradient) {
  const at::Tensor points = numbers({1, 2, 1, 2, 1, 2, 1, 2}, {4, 2}).requires_grad_();
  triplet(points, labels({0, 0, 1, 1})).backward();
  expect_close(points.grad(), at::zeros({4, 2}), {});
}

// Squared distances 1 and 25 to the own centres.
TEST(Losses, CenterByHand) {
  const at::Tensor features = numbers({1, 0, 3, 5}, {2, 2});
  const at::Tensor centers = numbers({9, 9, 0, 0, 0, 1}, {3, 2});
  EXPECT_NEAR(center_loss(features, labels({1, 2}), centers).item<double>(), 13, 1e-5);
}

// Logits [[ln 3, 0], [0, 0]]: rows -ln 3/4 and -ln 1/2, columns the same.
TEST(Losses, ClipContrastiveByHand) {
  const at::Tensor images = numbers({1, 0, 0, 0}, {2, 2});
  const at::Tensor scale = at::tensor(std::log(3.0), at::kFloat);
  EXPECT_NEAR(clip_contrastive(images, images, scale).item<double>(), (std::log(4.0 / 3) + std::log(2.0)) / 2,
              1e-6);
  // One identity: every pair is a positive.
  const double first_row = (std::log(4.0 / 3) + std::log(4.0)) / 2;
  EXPECT_NEAR(clip_contrastive(images, images, scale, labels({4, 4})).item<double>(),
              (first_row + std::log(2.0)) / 2, 1e-6);
}

TEST(Losses, ReducedTypesAreWidened) {
  const at::Tensor features = numbers({0, 1, 3, 7}, {4, 1}).to(at::kBFloat16);
  const at::Tensor value = triplet(features, labels({0, 0, 1, 1}));
  EXPECT_EQ(value.scalar_type(), at::kFloat);
  EXPECT_NEAR(value.item<double>(), 2.3 / 4, 1e-5);
}

// The cases of golden/multimodal/losses.
class MultimodalLosses : public testing::Test {
protected:
  void SetUp() override {
    VLREID_GOLDEN(path, "multimodal/losses.safetensors");
    file_ = std::make_unique<SafetensorsFile>(path);
  }
  at::Tensor get(const std::string& name) const { return golden_tensor(*file_, name); }
  at::Tensor leaf(const std::string& name) const { return get(name).requires_grad_(); }

  void expect_value(const at::Tensor& value, const std::string& name) const {
    const double expected = get(name + ".value").item<double>();
    EXPECT_NEAR(value.item<double>(), expected, 2e-5 * std::abs(expected)) << name;
  }
  void expect_gradient(const at::Tensor& leaf, const std::string& name) const {
    const at::Tensor expected = get(name);
    expect_close(leaf.grad(), expected, {.abs = 2e-4 * expected.abs().max().item<double>()}, name);
  }

private:
  std::unique_ptr<SafetensorsFile> file_;
};

TEST_F(MultimodalLosses, SupervisedContrastive) {
  for (const std::string name : {"supcon", "supcon_large", "supcon_rect"}) {
    const bool is_square = name != "supcon_rect";
    const at::Tensor a = leaf(name + ".a"), b = leaf(name + ".b");
    const at::Tensor value = supervised_contrastive(a, b, get(name + (is_square ? ".labels" : ".labels_a")),
                                                    get(name + (is_square ? ".labels" : ".labels_b")));
    expect_value(value, name);
    value.backward();
    expect_gradient(a, name + ".grad.a");
    expect_gradient(b, name + ".grad.b");
  }
}

TEST_F(MultimodalLosses, CrossEntropy) {
  for (const std::string name : {"xent_smooth_4", "xent_smooth_10", "xent_smooth_750"}) {
    const at::Tensor scores = leaf(name + ".scores");
    const at::Tensor value = cross_entropy(scores, get(name + ".labels"), 0.1);
    expect_value(value, name);
    value.backward();
    expect_gradient(scores, name + ".grad.scores");
  }
}

TEST_F(MultimodalLosses, Triplet) {
  for (const std::string name :
       {"triplet_margin0.3", "triplet_margin0.3_normalised", "triplet_margin0.3_small", "triplet_soft"}) {
    const at::Tensor features = leaf(name + ".features");
    TripletOptions options{.normalise = name.ends_with("normalised")};
    if (name == "triplet_soft") options.margin.reset();
    const at::Tensor value = triplet(features, get(name + ".labels"), options);
    expect_value(value, name);
    value.backward();
    expect_gradient(features, name + ".grad.features");
  }
}

TEST_F(MultimodalLosses, Mining) {
  const TripletDistances hardest = hardest_distances(get("mining.features"), get("mining.labels"));
  expect_close(hardest.positive.square(), get("mining.dist_ap").square(), {.rel = 1e-5}, "positive");
  expect_close(hardest.negative.square(), get("mining.dist_an").square(), {.rel = 1e-5}, "negative");
}

TEST_F(MultimodalLosses, SmoothL1) {
  const at::Tensor a = leaf("smooth_l1.a");
  const at::Tensor value = smooth_l1(a, get("smooth_l1.b"));
  expect_value(value, "smooth_l1");
  value.backward();
  expect_gradient(a, "smooth_l1.grad.a");
}

// Distances of each row to the rows of a memory, one by one.
double expected_memory_triplet(const at::Tensor& rows, const at::Tensor& labels,
                               const TripletMemory& memory) {
  double sum = 0;
  int count = 0;
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    double positive = -1, negative = INFINITY;
    for (std::int64_t j = 0; j < memory.features.size(0); ++j) {
      const auto label = memory.labels[j].item<std::int64_t>();
      if (label < 0 || j == memory.own[i].item<std::int64_t>()) continue;
      const double distance = (rows[i] - memory.features[j]).norm().item<double>();
      if (label == labels[i].item<std::int64_t>())
        positive = std::max(positive, distance);
      else
        negative = std::min(negative, distance);
    }
    if (positive < 0 || std::isinf(negative)) continue;
    sum += std::max(0.0, positive - negative + 0.3);
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

// Bug 11: the reference uses masks as row numbers; its value is not that of the hardest pairs.
TEST_F(MultimodalLosses, MemoryTripletUsesTheHardestPairs) {
  const std::string name = "triplet_xbm_as_reference";
  const at::Tensor features = leaf(name + ".features"), identities = get(name + ".labels");
  const TripletMemory memory{.features = get(name + ".bank"),
                             .labels = get(name + ".bank_labels"),
                             .own = at::arange(features.size(0), at::kLong)};
  const at::Tensor value = memory_triplet(features, identities, memory);
  const double expected = expected_memory_triplet(features.detach(), identities, memory);
  EXPECT_NEAR(value.item<double>(), expected, 1e-4 * expected);
  EXPECT_GT(std::abs(value.item<double>() - get(name + ".value").item<double>()), 1e-3);
  value.backward();
  EXPECT_GT(features.grad().abs().max().item<double>(), 0);
}

TEST(MemoryTriplet, PlacesThatAreNotFilledDoNotCount) {
  const at::Tensor rows = numbers({0, 0, 3, 4}, {2, 2}).requires_grad_();
  const TripletMemory memory{.features = numbers({0, 0, 3, 4, 0, 2, 0, 0.5}, {4, 2}),
                             .labels = labels({0, 1, 0, -1}),
                             .own = labels({0, 1})};
  // Row 0: positive at 2, negative at 5; row 1 has no positive beside itself.
  EXPECT_NEAR(memory_triplet(rows, labels({0, 1}), memory).item<double>(), 0, 1e-6);
  EXPECT_NEAR(memory_triplet(rows, labels({0, 1}), memory, 4).item<double>(), 1, 1e-5);
  const TripletMemory empty{
      .features = at::zeros({4, 2}), .labels = labels({-1, -1, -1, -1}), .own = labels({-1, -1})};
  EXPECT_EQ(memory_triplet(rows, labels({0, 1}), empty).item<double>(), 0);
}

} // namespace
} // namespace vlreid
