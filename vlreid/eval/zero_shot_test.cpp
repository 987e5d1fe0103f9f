// Zero-shot against the files of golden/multimodal, and the reference's bugs 2, 3 and 14
// (spec/multimodal.md).
#include "vlreid/eval/zero_shot.h"

#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "vlreid/attributes/sentences.h"
#include "vlreid/eval/scores.h"
#include "vlreid/inference/zero_shot_weights.h"
#include "vlreid/reid/model.h"
#include "vlreid/tensor/span.h"
#include "vlreid/text/tokenizer.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

constexpr Grid kImage{64, 32};
constexpr double kTolerance = 2e-5; // of the largest absolute value

void expect_equal_features(const at::Tensor& actual, const at::Tensor& golden, const std::string& what) {
  expect_close(actual, golden, {.abs = kTolerance * golden.abs().max().item<double>()}, what);
}

at::Tensor tensor_of_rows(const std::vector<float>& values, std::int64_t width) {
  return tensor_of<float>(values, {static_cast<std::int64_t>(values.size()) / width, width});
}

// The model that a request makes, and the sentences that it reads.
struct ZeroShot {
  explicit ZeroShot(const ZeroShotRequest& request)
      : weights(zero_shot_weights(request)),
        model(std::make_shared<ReidModel>(
            weights.state, ReidOptions{.image = weights.image, .stride = weights.stride}, request.weights)),
        embedder(model, {.weights = request.weights}) {}

  // The mean over both views, [B, F].
  at::Tensor embed(const SafetensorsFile& file) const {
    return (model->embed(golden_tensor(file, "images")) +
            model->embed(golden_tensor(file, "images_augmented"))) /
           2;
  }

  ZeroShotWeights weights;
  std::shared_ptr<ReidModel> model;
  Embedder embedder;
};

// The sentences of the five identities of zero-shot-text.json, as the attributes of
// zero-shot-sentences.json have them.
std::vector<std::vector<std::string>> golden_sentences(const std::string& kind) {
  const nlohmann::json all = read_golden_json("multimodal/zero-shot-sentences.json"),
                       chosen = read_golden_json("multimodal/zero-shot-text.json");
  std::vector<std::vector<std::string>> sentences;
  for (const std::size_t position : chosen["positions"])
    for (const nlohmann::json& one : all["identities"])
      if (one["position"] == position)
        sentences.push_back(kind == "plain" ? std::vector<std::string>{one["plain"]}
                                            : one["augmented"].get<std::vector<std::string>>());
  return sentences;
}

class ZeroShotGolden : public testing::Test {
protected:
  void SetUp() override {
    VLREID_GOLDEN(text, "multimodal/zero-shot-text.safetensors");
    VLREID_GOLDEN(sentences, "multimodal/zero-shot-sentences.json");
    VLREID_GOLDEN(images, "multimodal/zero-shot-embedding.safetensors");
    VLREID_GOLDEN(checkpoint, "multimodal/ckpt-coop.pth");
    VLREID_GOLDEN(clip, "common/tiny-vit.pt");
    text_ = std::make_unique<SafetensorsFile>(text);
    images_ = std::make_unique<SafetensorsFile>(images);
    checkpoint_ = checkpoint.string();
    clip_ = clip.string();
  }

  std::unique_ptr<SafetensorsFile> text_, images_;
  std::string checkpoint_, clip_;
};

TEST_F(ZeroShotGolden, Tokens) {
  for (const std::string kind : {"plain", "augmented"}) {
    std::vector<std::int64_t> ids;
    for (const auto& sentences : golden_sentences(kind))
      for (const std::string& sentence : sentences)
        std::ranges::copy(clip_tokenizer().tokenize(sentence).ids, std::back_inserter(ids));
    const at::Tensor expected = golden_tensor(*text_, "tokens." + kind);
    expect_close(tensor_of<std::int64_t>(ids, expected.sizes()), expected, {}, kind);
  }
}

TEST_F(ZeroShotGolden, TextFeaturesOfThePlainClipAndOfACheckpoint) {
  ZeroShot plain({.weights = clip_, .image = kImage});
  ZeroShot coop({.weights = checkpoint_, .words = clip_, .image = kImage});
  for (const std::string kind : {"plain", "augmented"})
    for (ZeroShot* zero_shot : {&plain, &coop}) {
      const auto texts = encode_descriptions(zero_shot->embedder, golden_sentences(kind), nullptr);
      const at::Tensor expected = golden_tensor(*text_, "text_features." + kind);
      expect_equal_features(tensor_of_rows(texts, expected.size(1)), expected, kind);
    }
}

TEST_F(ZeroShotGolden, EmbeddingsPlainAndMixed) {
  const auto facts = read_golden_json("multimodal/zero-shot-embedding.json");
  EXPECT_EQ(facts["size"], (std::vector<std::int64_t>{kImage.height, kImage.width}));
  EXPECT_TRUE(checkpoint_.ends_with(facts["weights"].get<std::string>()));
  const ZeroShot zero_shot({.weights = checkpoint_, .words = clip_, .image = kImage, .mode = "coop"});
  const at::Tensor rows = zero_shot.embed(*images_);
  expect_equal_features(rows, golden_tensor(*images_, "embedding.plain"), "plain");
  for (const std::string kind : {"plain", "augmented"}) {
    const at::Tensor texts = golden_tensor(*images_, "text_features." + kind);
    const at::Tensor expected = golden_tensor(*images_, "embedding.mm." + kind);
    const auto mixed =
        mix_with_texts(span_of<float>(rows), rows.size(1), span_of<float>(texts), texts.size(1));
    expect_equal_features(tensor_of_rows(mixed, expected.size(1)), expected, kind);
  }
}

// The reference cannot build these encoders (bug 2).
TEST_F(ZeroShotGolden, IvlpCheckpointsInHalfPrecision) {
  VLREID_GOLDEN(ivlp, "multimodal/ckpt-ivlp-half.pth");
  VLREID_GOLDEN(checkpoints, "multimodal/checkpoints.safetensors");
  const SafetensorsFile golden(checkpoints);
  for (const std::string mode : {"ivlp", "promptsrc"}) {
    ZeroShot zero_shot({.weights = ivlp.string(), .words = clip_, .image = kImage, .mode = mode});
    expect_equal_features(zero_shot.embed(golden), golden_tensor(golden, "ivlp.embedding_tta"), mode);
    // The deep prompts of the text side are read too: other features than the plain CLIP's.
    const auto texts = encode_descriptions(zero_shot.embedder, golden_sentences("plain"), nullptr);
    const at::Tensor plain = golden_tensor(*text_, "text_features.plain");
    EXPECT_GT((tensor_of_rows(texts, plain.size(1)) - plain).abs().max().item<double>(), 1e-3);
  }
}

// A checkpoint of another grid fails twice in the reference (bug 14).
TEST_F(ZeroShotGolden, AnyInputSizeAndStride) {
  const ZeroShot own({.weights = checkpoint_});
  EXPECT_EQ(own.weights.image, kImage);
  EXPECT_EQ(own.weights.stride, 12);
  const ZeroShot wide({.weights = checkpoint_, .image = Grid{80, 48}});
  EXPECT_EQ(wide.weights.image, (Grid{80, 48}));
  EXPECT_EQ(wide.weights.stride, 12);
  EXPECT_EQ(wide.weights.state.at("visual.positional_embedding").size(0), 1 + 6 * 3);
  EXPECT_EQ(wide.model->embed(at::ones({1, 3, 80, 48})).size(1), 192);
  const ZeroShot stride({.weights = checkpoint_, .image = kImage, .stride = 16});
  EXPECT_EQ(stride.weights.state.at("visual.positional_embedding").size(0), 1 + 4 * 2);
  const ZeroShot square({.weights = clip_, .image = Grid{64, 64}, .stride = 12});
  EXPECT_EQ(square.model->embed(at::ones({1, 3, 64, 64})).size(1), 192);
}

// The reference's training and zero-shot know one ViT (bug 3).
TEST_F(ZeroShotGolden, ResnetOfAnySize) {
  VLREID_GOLDEN(path, "common/tiny-rn.pt");
  ZeroShot resnet({.weights = path.string(), .image = Grid{96, 32}});
  const at::Tensor rows = resnet.model->embed(at::ones({2, 3, 96, 32}));
  const auto texts = encode_descriptions(resnet.embedder, golden_sentences("plain"), nullptr);
  const auto mixed = mix_with_texts(span_of<float>(rows), rows.size(1), texts, resnet.embedder.shared_dims());
  EXPECT_EQ(mixed.size(), 2 * static_cast<std::size_t>(rows.size(1) - resnet.embedder.shared_dims() + 5));
}

TEST_F(ZeroShotGolden, WhatDoesNotFitIsRefused) {
  const auto kind_of = [](const ZeroShotRequest& request) {
    try {
      zero_shot_weights(request);
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::internal;
  };
  EXPECT_EQ(kind_of({.weights = checkpoint_, .mode = "ivlp"}), ErrorKind::usage);
  EXPECT_EQ(kind_of({.weights = checkpoint_, .mode = "adapter"}), ErrorKind::usage);
  EXPECT_EQ(kind_of({.weights = checkpoint_, .words = checkpoint_}), ErrorKind::data);
  EXPECT_EQ(kind_of({.weights = checkpoint_, .image = Grid{8, 8}}), ErrorKind::config);
  EXPECT_THROW(find_plain_clip("ViT-X/1"), Error);
  ZeroShot wordless({.weights = checkpoint_});
  EXPECT_THROW(encode_descriptions(wordless.embedder, golden_sentences("plain"), nullptr), Error);
}

// ---- Search by sentence

AttributeTable table_of(const std::vector<std::string>& identities) {
  AttributeTable table{.place = "t", .names = {"a"}, .rows = {}};
  for (const std::string& identity : identities)
    table.rows.push_back({.identity = identity, .split = "", .values = {"1"}});
  return table;
}

TEST(ZeroShot, IdentitiesByNumberOrName) {
  Dataset dataset{.name = "x"};
  dataset.query = {{.path = "a", .identity = 1}};
  dataset.gallery = {{.path = "b", .identity = 1}, {.path = "c", .identity = 0}};
  EXPECT_EQ(identities_in(dataset, table_of({"0001", "2", "x"})), (std::vector<std::int64_t>{1, -1, -1}));
  dataset.identity_names = {"anna", "bert"};
  EXPECT_EQ(identities_in(dataset, table_of({"bert", "1", "anna"})), (std::vector<std::int64_t>{1, -1, 0}));
}

TEST(ZeroShot, SentencesFindTheirPeople) {
  LabelledFeatures images{.dims = 3, .query = {}, .gallery = {}, .trials = {}};
  // One number of `feature`, which must not be read, and two of the projection.
  images.gallery.values = {9, 1, 0, -9, 0, 2, 9, 3, 0.5F};
  images.gallery.identities = {4, 7, 4};
  images.gallery.cameras = {0, 0, 1};
  const std::vector<float> texts = {1, 0, 0.5F, 0.5F, 0, 1};
  const LabelledFeatures made =
      description_queries(images, texts, std::vector<std::int64_t>{4, -1, 7}, {"four", "none", "seven"});
  EXPECT_EQ(made.dims, 2);
  EXPECT_EQ(made.query.identities, (std::vector<std::int64_t>{4, 7}));
  EXPECT_EQ(made.query.paths, (std::vector<std::string>{"four", "seven"}));
  const Scores scores = score(made, {});
  EXPECT_EQ(scores.plain.counted_queries, 2);
  EXPECT_DOUBLE_EQ(scores.plain.mean_average_precision, 1);
}

} // namespace
} // namespace vlreid
