#include "vlreid/transforms/test_transform.h"

#include "vlreid/archive/safetensors.h"
#include "vlreid/base/error.h"
#include "vlreid/image/geometry.h"

#include "tests/support/golden.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

namespace vlreid {
namespace {

Image random_image(int height, int width) {
  Random random({3});
  Image image = make_image(height, width);
  for (std::uint8_t& value : image.pixels)
    value = static_cast<std::uint8_t>(random.below(256));
  return image;
}

using Bytes = std::vector<std::uint8_t>;

Bytes plain(const Image& image, const TestTransformOptions& options = {}) {
  TestTransform transform(options);
  Bytes out(transform.size());
  transform.plain(image, out);
  return out;
}

TestTransformOptions options_for(const PixelStatistics& pixels) {
  return {.mean = pixels.mean, .std = pixels.std};
}

TEST(TestTransform, GoldenValuesAreBitExact) {
  VLREID_GOLDEN(path, "common/preprocess.safetensors");
  const SafetensorsFile golden(path);
  int seen = 0;
  for (const TensorEntry& entry : golden.entries()) {
    const std::size_t slash = entry.name.find('/');
    if (!entry.name.substr(slash + 1).starts_with("normalised_")) continue;
    SCOPED_TRACE(entry.name);
    // Resized already; the resize has its own golden test.
    const TensorEntry& resized = golden.at(entry.name.substr(0, slash) + "/bilinear_256x128");
    Image image = make_image(static_cast<int>(resized.shape.at(0)), static_cast<int>(resized.shape.at(1)));
    std::ranges::copy(values<std::uint8_t>(resized), image.pixels.begin());
    const bool is_vit = entry.name.find("normalised_vit_") != std::string::npos;
    const TestTransformOptions options = options_for(is_vit ? kVitPixels : kImageNetPixels);
    std::vector<float> out(3 * 256 * 128);
    TestTransform(options).normalise(plain(image, options), out);
    EXPECT_TRUE(std::ranges::equal(out, values<float>(entry)));
    ++seen;
  }
  EXPECT_EQ(seen, 3);
}

TEST(TestTransform, FlippedMirrorsEveryRow) {
  const Image image = random_image(90, 40);
  TestTransform transform({});
  Bytes flipped(transform.size());
  transform.flipped(image, flipped);
  EXPECT_EQ(flipped, flip(resize(image, {})).pixels);
}

TEST(TestTransform, SecondViewIsFlipPadCrop) {
  const Image image = random_image(90, 40);
  TestTransform transform({});
  Bytes out(transform.size());
  const CropOffset offset{.top = 9, .left = 2};
  transform.second_view(image, offset, out);
  const Image padded = pad(flip(resize(image, {})), {.top = 5, .bottom = 5, .left = 10, .right = 10});
  const Image expected = crop(padded, {.top = offset.top, .left = offset.left, .height = 256, .width = 128});
  EXPECT_EQ(out, expected.pixels);
}

// In the middle of the padding the second view is the flipped one.
TEST(TestTransform, SecondViewInTheMiddle) {
  const Image image = random_image(60, 30);
  TestTransform transform({});
  Bytes second(transform.size()), flipped(transform.size());
  transform.second_view(image, {}, second);
  transform.flipped(image, flipped);
  EXPECT_EQ(second, flipped);
}

TEST(TestTransform, OffsetsCoverBothEnds) {
  Random random({1});
  std::set<int> tops, lefts;
  for (int i = 0; i < 2000; ++i) {
    const CropOffset offset = draw_crop_offset(random);
    tops.insert(offset.top);
    lefts.insert(offset.left);
  }
  EXPECT_EQ(tops.size(), 11u);
  EXPECT_EQ(*tops.rbegin(), 10);
  EXPECT_EQ(lefts.size(), 21u);
  EXPECT_EQ(*lefts.rbegin(), 20);
}

TEST(TestTransform, BadOptionsAreConfigurationErrors) {
  for (const TestTransformOptions& options :
       {TestTransformOptions{.height = 0}, TestTransformOptions{.width = 100000},
        TestTransformOptions{.std = {0.5f, 0.0f, 0.5f}}}) {
    try {
      TestTransform transform(options);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_FALSE(error.fault().remedy.empty());
    }
  }
}

} // namespace
} // namespace vlreid
