#include "vlreid/image/geometry.h"

#include "vlreid/base/error.h"

#include <gtest/gtest.h>

namespace vlreid {
namespace {

// Pixel (y, x) holds {y, x, 7}.
Image numbered(int height, int width) {
  Image image = make_image(height, width);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      image.row(y)[3 * x] = static_cast<std::uint8_t>(y);
      image.row(y)[3 * x + 1] = static_cast<std::uint8_t>(x);
      image.row(y)[3 * x + 2] = 7;
    }
  return image;
}

Rgb pixel(const Image& image, int y, int x) {
  const std::uint8_t* p = image.row(y) + 3 * x;
  return {p[0], p[1], p[2]};
}

TEST(Geometry, FlipExchangesLeftAndRight) {
  for (const int width : {1, 4, 5}) {
    const Image image = numbered(2, width);
    const Image flipped = flip(image);
    for (int x = 0; x < width; ++x)
      EXPECT_EQ(pixel(flipped, 1, x), pixel(image, 1, width - 1 - x));
    EXPECT_EQ(flip(flipped), image);
  }
}

TEST(Geometry, CropUndoesPad) {
  const Image image = numbered(3, 4);
  const Image padded = pad(image, {.top = 1, .bottom = 2, .left = 3, .right = 4}, {9, 8, 7});
  EXPECT_EQ(padded.height, 6);
  EXPECT_EQ(padded.width, 11);
  EXPECT_EQ(pixel(padded, 0, 0), (Rgb{9, 8, 7}));
  EXPECT_EQ(pixel(padded, 5, 10), (Rgb{9, 8, 7}));
  EXPECT_EQ(crop(padded, {.top = 1, .left = 3, .height = 3, .width = 4}), image);
}

TEST(Geometry, CropOutsideIsOurBug) {
  EXPECT_THROW(crop(numbered(3, 3), {.top = 1, .left = 0, .height = 3, .width = 1}), Error);
}

TEST(Geometry, PasteLeavesOutWhatFallsOutside) {
  Image image = make_image(3, 3);
  paste(image, numbered(2, 2), -1, 2);
  EXPECT_EQ(pixel(image, 0, 2), (Rgb{1, 0, 7}));
  EXPECT_EQ(pixel(image, 0, 1), (Rgb{0, 0, 0}));
  EXPECT_EQ(pixel(image, 1, 2), (Rgb{0, 0, 0}));
  const Image before = image;
  paste(image, numbered(2, 2), 5, 5);
  paste(image, numbered(2, 2), 0, -2);
  EXPECT_EQ(image, before);
}

} // namespace
} // namespace vlreid
