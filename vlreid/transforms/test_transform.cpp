#include "vlreid/transforms/test_transform.h"

#include "vlreid/base/error.h"
#include "vlreid/image/geometry.h"

#include <algorithm>
#include <fmt/format.h>

namespace vlreid {
namespace {

constexpr int kMaxSide = 8192;
// Padding of MM's second view, black.
constexpr Padding kSecondViewPadding{.top = 5, .bottom = 5, .left = 10, .right = 10};

void check_options(const TestTransformOptions& options) {
  const auto [smallest, largest] = std::minmax(options.height, options.width);
  VLREID_REQUIRE(smallest >= 1 && largest <= kMaxSide, ErrorKind::config, "INPUT.SIZE_TEST",
                 fmt::format("[{}, {}]", options.height, options.width),
                 fmt::format("height and width in 1..{}", kMaxSide),
                 "set the size that the model was trained on");
  VLREID_REQUIRE(std::ranges::all_of(options.std, [](float x) { return x > 0; }), ErrorKind::config,
                 "INPUT.PIXEL_STD", fmt::format("[{}]", fmt::join(options.std, ", ")),
                 "three numbers above 0", "0.5 suits ViT models");
}

} // namespace

CropOffset draw_crop_offset(Random& random) {
  const int tops = kSecondViewPadding.top + kSecondViewPadding.bottom + 1;
  const int lefts = kSecondViewPadding.left + kSecondViewPadding.right + 1;
  const int top = static_cast<int>(random.below(static_cast<std::uint64_t>(tops)));
  return {.top = top, .left = static_cast<int>(random.below(static_cast<std::uint64_t>(lefts)))};
}

TestTransform::TestTransform(const TestTransformOptions& options) : options_(options) {
  check_options(options);
  for (std::size_t c = 0; c < table_.size(); ++c)
    for (std::size_t value = 0; value < table_[c].size(); ++value)
      table_[c][value] = (static_cast<float>(value) / 255.0f - options.mean[c]) / options.std[c];
}

void TestTransform::write_row(const std::uint8_t* row, Direction direction, float* out) const {
  const std::size_t plane = static_cast<std::size_t>(options_.height) * options_.width;
  float* red = out;
  float* green = out + plane;
  float* blue = out + 2 * plane;
  const int width = options_.width;
  const int step = direction == Direction::forward ? 3 : -3;
  if (direction == Direction::reversed) row += 3 * (width - 1);
  for (int x = 0; x < width; ++x, row += step) {
    red[x] = table_[0][row[0]];
    green[x] = table_[1][row[1]];
    blue[x] = table_[2][row[2]];
  }
}

void TestTransform::run(const Image& image, Direction direction, std::span<float> out) {
  VLREID_ASSERT(out.size() == size());
  resizer_.start(image, {.height = options_.height, .width = options_.width, .filter = options_.filter});
  for (int y = 0; y < options_.height; ++y)
    write_row(resizer_.row(y), direction, out.data() + static_cast<std::size_t>(y) * options_.width);
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
    write_row(view.row(y), Direction::forward, out.data() + static_cast<std::size_t>(y) * options_.width);
}

} // namespace vlreid
