#include "vlreid/transforms/test_transform.h"

#include "vlreid/base/error.h"
#include "vlreid/image/geometry.h"

#include <algorithm>
#include <cstring>

namespace vlreid {
namespace {

// Padding of MM's second view, black.
constexpr Padding kSecondViewPadding{.top = 5, .bottom = 5, .left = 10, .right = 10};

void write_reversed(const std::uint8_t* row, int width, std::uint8_t* out) {
  for (int x = 0; x < width; ++x)
    std::memcpy(out + std::ptrdiff_t{3} * x, row + std::ptrdiff_t{3} * (width - 1 - x), 3);
}

} // namespace

CropOffset draw_crop_offset(Random& random) {
  const int tops = kSecondViewPadding.top + kSecondViewPadding.bottom + 1;
  const int lefts = kSecondViewPadding.left + kSecondViewPadding.right + 1;
  const int top = static_cast<int>(random.below(static_cast<std::uint64_t>(tops)));
  return {.top = top, .left = static_cast<int>(random.below(static_cast<std::uint64_t>(lefts)))};
}

TestTransform::TestTransform(const TestTransformOptions& options) : options_(options) {
  check_pixel_options("INPUT.SIZE_TEST", options.height, options.width, options.std);
  table_ = make_pixel_table(options.mean, options.std);
}

void TestTransform::plain(const Image& image, std::span<std::uint8_t> out) {
  VLREID_ASSERT(out.size() == size());
  resizer_.start(image, {.height = options_.height, .width = options_.width, .filter = options_.filter});
  const std::size_t row = std::size_t{3} * options_.width;
  for (int y = 0; y < options_.height; ++y)
    std::memcpy(out.data() + y * row, resizer_.row(y), row);
}

void TestTransform::flipped(const Image& image, std::span<std::uint8_t> out) {
  VLREID_ASSERT(out.size() == size());
  resizer_.start(image, {.height = options_.height, .width = options_.width, .filter = options_.filter});
  for (int y = 0; y < options_.height; ++y)
    write_reversed(resizer_.row(y), options_.width, out.data() + std::size_t{3} * options_.width * y);
}

void TestTransform::second_view(const Image& image, CropOffset offset, std::span<std::uint8_t> out) {
  VLREID_ASSERT(out.size() == size());
  Image view;
  resizer_.resize(image, {.height = options_.height, .width = options_.width, .filter = options_.filter},
                  view);
  flip_in_place(view);
  view = crop(pad(view, kSecondViewPadding),
              {.top = offset.top, .left = offset.left, .height = options_.height, .width = options_.width});
  std::ranges::copy(view.pixels, out.begin());
}

void TestTransform::normalise(std::span<const std::uint8_t> bytes, std::span<float> out) const {
  VLREID_ASSERT(bytes.size() == size() && out.size() == size());
  const std::size_t width = static_cast<std::size_t>(options_.width);
  for (int y = 0; y < options_.height; ++y)
    write_pixel_row(table_, bytes.data() + 3 * width * y, options_.width, Direction::forward,
                    options_.height * width, out.data() + y * width);
}

} // namespace vlreid
