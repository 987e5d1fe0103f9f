#include "vlreid/transforms/test_transform.h"

#include "vlreid/base/error.h"
#include "vlreid/image/geometry.h"

namespace vlreid {
namespace {

// Padding of MM's second view, black.
constexpr Padding kSecondViewPadding{.top = 5, .bottom = 5, .left = 10, .right = 10};

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

void TestTransform::write_row(int y, const std::uint8_t* row, Direction direction, float* out) const {
  const std::size_t width = static_cast<std::size_t>(options_.width);
  write_pixel_row(table_, row, options_.width, direction, options_.height * width, out + y * width);
}

void TestTransform::run(const Image& image, Direction direction, std::span<float> out) {
  VLREID_ASSERT(out.size() == size());
  resizer_.start(image, {.height = options_.height, .width = options_.width, .filter = options_.filter});
  for (int y = 0; y < options_.height; ++y)
    write_row(y, resizer_.row(y), direction, out.data());
}

void TestTransform::plain(const Image& image, std::span<float> out) {
  run(image, Direction::forward, out);
}

void TestTransform::flipped(const Image& image, std::span<float> out) {
  run(image, Direction::reversed, out);
}

void TestTransform::second_view(const Image& image, CropOffset offset, std::span<float> out) {
  VLREID_ASSERT(out.size() == size());
  Image view;
  resizer_.resize(image, {.height = options_.height, .width = options_.width, .filter = options_.filter},
                  view);
  flip_in_place(view);
  view = crop(pad(view, kSecondViewPadding),
              {.top = offset.top, .left = offset.left, .height = options_.height, .width = options_.width});
  for (int y = 0; y < options_.height; ++y)
    write_row(y, view.row(y), Direction::forward, out.data());
}

} // namespace vlreid
