#include "vlreid/inference/attention_maps.h"

#include "vlreid/base/files.h"
#include "vlreid/encoders/random_weights.h"
#include "vlreid/encoders/vit.h"
#include "vlreid/image/encode.h"
#include "vlreid/weights/load.h"

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <cmath>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

constexpr Grid kSize{64, 32}; // 4 x 2 patches of 16 pixels

ReidModel tiny(const char* name = "tiny-vit") {
  return {random_clip(published_clip(name), 5), {.image = kSize}, name};
}

using Numbers = std::vector<double>;

Numbers row_of(const at::Tensor& matrix, std::int64_t row) {
  const at::Tensor values = matrix.select(0, row).detach().contiguous().to(at::kDouble);
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

Numbers normed(const Numbers& x, const LayerNorm& layer) {
  const auto count = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (const double value : x)
    mean += value / count;
  for (const double value : x)
    variance += (value - mean) * (value - mean) / count;
  const Numbers scale = row_of(layer.weight.unsqueeze(0), 0), shift = row_of(layer.bias.unsqueeze(0), 0);
  Numbers y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * scale[i] + shift[i];
  return y;
}

// Rows [first, first + 64) of the packed projection: one head of queries or keys.
Numbers projected(const Numbers& x, const PackedAttention& attention, std::int64_t first) {
  Numbers y;
  for (std::int64_t row = first; row < first + 64; ++row) {
    const Numbers weights = row_of(attention.in_proj_weight, row);
    double sum = attention.in_proj_bias[row].item<double>();
    for (std::size_t i = 0; i < x.size(); ++i)
      sum += weights[i] * x[i];
    y.push_back(sum);
  }
  return y;
}

// The class token's row of softmax(QK^T / 8), mean over heads of 64, number by number from the last block's
// input.
Numbers by_hand(VisionTransformer& encoder, const at::Tensor& last) {
  const ResidualBlock& block = encoder.blocks->block(encoder.blocks->depth() - 1);
  const auto& attention = dynamic_cast<const PackedAttention&>(*block.attn);
  Numbers mean(static_cast<std::size_t>(last.size(0)));
  for (std::int64_t head = 0; head < attention.heads(); ++head) {
    const Numbers query = projected(normed(row_of(last, 0), *block.ln_1), attention, 64 * head);
    Numbers weights;
    double sum = 0;
    for (std::int64_t n = 0; n < last.size(0); ++n) {
      const Numbers key =
          projected(normed(row_of(last, n), *block.ln_1), attention, attention.width() + 64 * head);
      double score = 0;
      for (std::size_t i = 0; i < key.size(); ++i)
        score += query[i] * key[i];
      weights.push_back(std::exp(score / 8));
      sum += weights.back();
    }
    for (std::size_t n = 0; n < weights.size(); ++n)
      mean[n] += weights[n] / sum / static_cast<double>(attention.heads());
  }
  return mean;
}

void expect_as_by_hand(ReidModel& model) {
  const at::Tensor images = at::randn({2, 3, kSize.height, kSize.width});
  const auto maps = class_attention(model, images);
  ASSERT_TRUE(maps);
  ASSERT_EQ(maps->sizes(), (std::vector<std::int64_t>{2, 4, 2}));
  auto& encoder = dynamic_cast<VisionTransformer&>(model.image_encoder());
  const at::Tensor last = encoder.forward_tokens(images).last;
  for (std::int64_t image = 0; image < 2; ++image) {
    const Numbers expected = by_hand(encoder, last[image]);
    const Numbers actual = row_of(maps->flatten(1), image);
    double sum = expected[0]; // the class token's look at itself
    for (std::size_t patch = 0; patch < actual.size(); ++patch) {
      EXPECT_NEAR(actual[patch], expected[patch + 1], 1e-5) << patch;
      sum += actual[patch];
    }
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

TEST(ClassAttention, IsTheSoftmaxRowOfTheClassToken) {
  ReidModel model = tiny();
  expect_as_by_hand(model);
}

TEST(ClassAttention, IsTheSoftmaxRowOfTheClassTokenWithGoldenWeights) {
  VLREID_GOLDEN(path, "common/tiny-vit.pt");
  ReidModel model(load_weights(path).state, {.image = kSize}, "tiny-vit.pt");
  expect_as_by_hand(model);
}

TEST(ClassAttention, LeavesTheModelAsItWas) {
  ReidModel model = tiny();
  model.train();
  model.image_encoder().eval();
  const at::Tensor images = at::randn({1, 3, kSize.height, kSize.width});
  const at::Tensor before = model.image_encoder().forward(images, {}).proj;
  class_attention(model, images);
  EXPECT_TRUE(model.is_training());
  EXPECT_FALSE(model.image_encoder().is_training());
  EXPECT_TRUE(at::equal(model.image_encoder().forward(images, {}).proj, before));
}

TEST(ClassAttention, ResNetsHaveNone) {
  ReidModel model = tiny("tiny-rn");
  EXPECT_FALSE(class_attention(model, at::randn({1, 3, kSize.height, kSize.width})));
}

TEST(AttentionMaps, OfFilesAreThoseOfTheirPixels) {
  TempFolder folder;
  const auto bytes = encode_png(make_image(100, 50));
  write_file(folder / "black.png", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  ReidModel model = tiny();
  const std::vector<std::string> paths{folder / "black.png", folder / "black.png"};
  const auto maps = attention_maps(model, {.height = 64, .width = 32}, paths);
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[1].height, 4);
  EXPECT_EQ(maps[1].width, 2);
  const at::Tensor expected = *class_attention(model, at::full({1, 3, 64, 32}, -1.0)); // black
  for (std::size_t patch = 0; patch < 8; ++patch)
    EXPECT_NEAR(maps[1].weights[patch], expected.flatten()[static_cast<std::int64_t>(patch)].item<float>(),
                1e-6);
  ReidModel resnet = tiny("tiny-rn");
  EXPECT_TRUE(attention_maps(resnet, {.height = 64, .width = 32}, paths).empty());
}

} // namespace
} // namespace vlreid
