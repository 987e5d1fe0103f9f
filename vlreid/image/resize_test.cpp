#include "vlreid/image/resize.h"

#include "vlreid/base/error.h"
#include "vlreid/base/random.h"

#include <gtest/gtest.h>

namespace vlreid {
namespace {

Image random_image(Random& random, int height, int width) {
  Image image = make_image(height, width);
  for (std::uint8_t& value : image.pixels)
    value = static_cast<std::uint8_t>(random.below(256));
  return image;
}

int random_side(Random& random) {
  constexpr int kLargest[] = {4, 40, 300};
  return 1 + static_cast<int>(random.below(kLargest[random.below(3)]));
}

TEST(Resize, BothPathsGiveTheSameBytes) {
  Random random({7});
  Resizer automatic, plain(ResizePath::plain);
  for (int i = 0; i < 400; ++i) {
    const Image source = random_image(random, random_side(random), random_side(random));
    const ResizeOptions options{.height = random_side(random),
                                .width = random_side(random),
                                .filter = random.chance(0.5) ? Filter::bilinear : Filter::bicubic};
    Image a, b;
    automatic.resize(source, options, a);
    plain.resize(source, options, b);
    ASSERT_EQ(a, b) << source.height << " x " << source.width << " to " << options.height << " x "
                    << options.width;
  }
}

TEST(Resize, ExtremesOfBytesBothPaths) {
  for (const Filter filter : {Filter::bilinear, Filter::bicubic}) {
    Image source = make_image(31, 33);
    for (std::size_t i = 0; i < source.pixels.size(); ++i)
      source.pixels[i] = i / 3 % 2 == 0 ? 255 : 0;
    Image a, b;
    Resizer().resize(source, {.height = 70, .width = 80, .filter = filter}, a);
    Resizer(ResizePath::plain).resize(source, {.height = 70, .width = 80, .filter = filter}, b);
    EXPECT_EQ(a, b);
  }
}

TEST(Resize, RowsEqualTheWhole) {
  Random random({8});
  const Image source = random_image(random, 81, 42);
  Resizer resizer;
  for (const ResizeOptions& options :
       {ResizeOptions{}, ResizeOptions{.height = 81}, ResizeOptions{.width = 42},
        ResizeOptions{.height = 20, .width = 64, .filter = Filter::bicubic}}) {
    const Image whole = resize(source, options);
    resizer.start(source, options);
    for (int y = 0; y < options.height; ++y)
      ASSERT_TRUE(std::equal(whole.row(y), whole.row(y) + whole.row_bytes(), resizer.row(y)));
  }
}

TEST(Resize, SameSizeIsACopy) {
  Random random({9});
  const Image source = random_image(random, 10, 12);
  EXPECT_EQ(resize(source, {.height = 10, .width = 12}), source);
}

TEST(Resize, ConstantStaysConstant) {
  Image source = make_image(300, 7);
  for (std::uint8_t& value : source.pixels)
    value = 200;
  for (const std::uint8_t value : resize(source, {.filter = Filter::bicubic}).pixels)
    ASSERT_EQ(value, 200);
}

// Two pixels 0 and 100 to four by bilinear: centres at -0.25, 0.25, 0.75, 1.25, so 0, 25, 75, 100.
TEST(Resize, HandMade) {
  Image source = make_image(1, 2);
  for (std::size_t c = 3; c < 6; ++c)
    source.pixels[c] = 100;
  const Image out = resize(source, {.height = 1, .width = 4});
  EXPECT_EQ(out.pixels, (std::vector<std::uint8_t>{0, 0, 0, 25, 25, 25, 75, 75, 75, 100, 100, 100}));
}

TEST(Resize, FilterNames) {
  EXPECT_EQ(parse_filter("bicubic"), Filter::bicubic);
  EXPECT_THROW(parse_filter("nearest"), Error);
}

} // namespace
} // namespace vlreid
