// How hard the made sets are: retrieval by colour histograms must be far from solved, yet better than chance.
#include "vlreid/base/files.h"
#include "vlreid/image/decode.h"
#include "vlreid/synth/options.h"

#include "tests/support/temp_folder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

constexpr int kStripes = 6, kBins = 6;
using Histogram = std::vector<float>;

struct Item {
  int identity;
  char camera;
  Histogram histogram;
};

// Per horizontal stripe, joint RGB bins with roots (Hellinger), the middle two thirds of the width: a strong
// colour baseline.
Histogram histogram_of(const Image& image) {
  Histogram histogram(static_cast<std::size_t>(kStripes * kBins * kBins * kBins));
  for (int y = 0; y < image.height; ++y)
    for (int x = image.width / 6; x < image.width - image.width / 6; ++x) {
      const std::uint8_t* pixel = image.row(y) + 3 * x;
      const int bin = ((pixel[0] / 43) * kBins + pixel[1] / 43) * kBins + pixel[2] / 43;
      histogram[static_cast<std::size_t>(y * kStripes / image.height * kBins * kBins * kBins + bin)] += 1;
    }
  for (float& value : histogram)
    value = std::sqrt(value);
  return histogram;
}

std::vector<Item> load(const std::filesystem::path& folder) {
  std::vector<Item> items;
  for (const std::string& name : list_files(folder))
    items.push_back({std::stoi(name), name[name.find("_c") + 2], histogram_of(load_image(folder / name))});
  return items;
}

double average_precision(const Item& query, const std::vector<Item>& gallery) {
  std::vector<std::pair<float, bool>> ranking;
  for (const Item& item : gallery) {
    const bool is_same = item.identity == query.identity;
    if (item.identity < 0 || (is_same && item.camera == query.camera)) continue;
    float likeness = 0;
    for (std::size_t i = 0; i < item.histogram.size(); ++i)
      likeness += item.histogram[i] * query.histogram[i];
    ranking.emplace_back(-likeness, is_same);
  }
  std::stable_sort(ranking.begin(), ranking.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  double sum = 0, hits = 0;
  for (std::size_t rank = 0; rank < ranking.size(); ++rank)
    if (ranking[rank].second) sum += ++hits / static_cast<double>(rank + 1);
  return sum / hits;
}

double histogram_map(const SynthOptions& options) {
  TempFolder temp;
  make_dataset(temp / "set", options, nullptr);
  const auto query = load(temp / "set/query"), gallery = load(temp / "set/bounding_box_test");
  double sum = 0;
  for (const Item& item : query)
    sum += average_precision(item, gallery);
  return sum / static_cast<double>(query.size());
}

TEST(Difficulty, ColourHistogramsDoNotSolveIt) {
  for (const SynthDomain domain : {SynthDomain::a, SynthDomain::b}) {
    const double score = histogram_map({.seed = 1,
                                        .domain = domain,
                                        .train_identities = 4,
                                        .test_identities = 40,
                                        .cameras = 4,
                                        .images_per_camera = 2,
                                        .distractors = 30,
                                        .junk = 0});
    RecordProperty(domain == SynthDomain::a ? "map_a" : "map_b", std::to_string(score));
    std::printf("histogram mAP: %.3f\n", score);
    EXPECT_LT(score, 0.35);
    EXPECT_GT(score, 0.03);
  }
}

} // namespace
} // namespace vlreid
