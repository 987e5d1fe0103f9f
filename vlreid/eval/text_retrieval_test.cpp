#include "vlreid/eval/text_retrieval.h"

#include "tests/support/golden.h"
#include "vlreid/archive/safetensors.h"
#include "vlreid/base/error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

Embedder embedder_of(const std::filesystem::path& weights, std::int64_t height, std::int64_t width) {
  EmbedderOptions options{.weights = weights.string(), .threads = 1};
  options.settings.input_size = {height, width};
  return Embedder(options);
}

TEST(TextRetrieval, SentencesEqualTheReference) {
  VLREID_GOLDEN(weights, "common/tiny-vit.pt");
  VLREID_GOLDEN(expected, "common/clip-zero-shot.safetensors");
  const auto sentences =
      read_golden_json("common/clip-zero-shot.json")["sentences"].get<std::vector<std::string>>();
  Embedder embedder = embedder_of(weights, 224, 224);
  std::size_t done = 0;
  const std::vector<float> rows = embedder.run_sentences(sentences, [&](std::size_t n) { done += n; });
  EXPECT_EQ(done, sentences.size());
  const SafetensorsFile file(expected);
  const auto golden = values<float>(file.at("tiny-vit/text_features"));
  ASSERT_EQ(rows.size(), golden.size());
  ASSERT_EQ(embedder.shared_dims(), 64);
  for (std::size_t i = 0; i < rows.size(); ++i)
    ASSERT_NEAR(rows[i], golden[i], 1e-4) << i;
}

TEST(TextRetrieval, QueriesAreCaptionsAndGalleryIsImages) {
  VLREID_GOLDEN(weights, "common/tiny-vit.pt");
  VLREID_GOLDEN(image, "common/images/palette.png");
  Embedder embedder = embedder_of(weights, 224, 224);
  const std::vector<CaptionedImage> images = {
      {.path = image.string(), .identity = 4, .captions = {"A man.", "He walks."}},
      {.path = image.string(), .identity = 2, .captions = {"A woman with a bag."}}};
  const LabelledFeatures features = embed_captions(embedder, images, nullptr);
  EXPECT_EQ(features.query.identities, (std::vector<std::int64_t>{4, 4, 2}));
  EXPECT_EQ(features.query.paths[1], "He walks.");
  EXPECT_EQ(features.gallery.identities, (std::vector<std::int64_t>{4, 2}));
  EXPECT_EQ(features.dims, 64);
  EXPECT_EQ(features.query.values.size(), 3U * 64);
  // The projection is the end of the image's row.
  const std::vector<std::string> paths = {image.string()};
  const std::vector<float> row = embedder.run_all(paths, {}, [](std::size_t) {});
  for (std::size_t i = 0; i < 64; ++i)
    ASSERT_NEAR(features.gallery.values[i], row[row.size() - 64 + i], 1e-4) << i;
}

// Two sentences about identity 5.
TEST(TextRetrieval, ScoresByHand) {
  LabelledFeatures features{.dims = 2, .query = {}, .gallery = {}, .trials = {}};
  features.query.values = {1, 0, 0, 1};
  features.query.identities = {5, 5};
  features.gallery.values = {1, 0, 0.9F, 0.3F, 0.6F, 0.6F, -0.2F, 0.9F}; // 0, 18, 45 and 103 degrees
  features.gallery.identities = {5, 7, 5, 7};
  const nlohmann::json scores = text_retrieval_json(score(features, {}), features);
  EXPECT_DOUBLE_EQ(scores["R1"], 0.5);
  EXPECT_DOUBLE_EQ(scores["R5"], 1);
  EXPECT_EQ(scores["sentences"], 2);
  EXPECT_EQ(scores["images"], 4);
  // First: hits at 1 and 3. Second, at 90 degrees: order 103, 45, 18, 0, hits at 2 and 4.
  EXPECT_NEAR(scores["mAP"], ((1 + 2.0 / 3) / 2 + (0.5 + 0.5) / 2) / 2, 1e-6);
  EXPECT_NEAR(scores["mINP"], (2.0 / 3 + 2.0 / 4) / 2, 1e-6);
}

TEST(TextRetrieval, WeightsThatCannotReadSentencesAreAnError) {
  VLREID_GOLDEN(weights, "clipreid/ckpt-mini-vit-stage1.pth");
  Embedder embedder = embedder_of(weights, 64, 32);
  const std::vector<std::string> sentences = {"A man."};
  EXPECT_THROW(embedder.run_sentences(sentences, [](std::size_t) {}), Error);
}

} // namespace
} // namespace vlreid
