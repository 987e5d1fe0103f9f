#include "vlreid/transforms/train_transform.h"

#include "vlreid/base/error.h"
#include "vlreid/transforms/noise.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace vlreid {
namespace {

constexpr int kMaxPadding = 1024;

// Random erasing: share of the image, and height over width, which is log-uniform (datasets section 6).
constexpr int kEraseTries = 10;
constexpr double kMinArea = 0.02, kMaxArea = 1.0 / 3.0;
constexpr double kMinAspect = 0.3;

void check_probability(const char* key, double probability) {
  VLREID_REQUIRE(probability >= 0 && probability <= 1, ErrorKind::config, key, fmt::format("{}", probability),
                 "a probability in [0, 1]", "the references use 0.5");
}

void check_options(const TrainTransformOptions& options) {
  check_pixel_options("INPUT.SIZE_TRAIN", options.height, options.width, options.std);
  VLREID_REQUIRE(options.padding >= 0 && options.padding <= kMaxPadding, ErrorKind::config, "INPUT.PADDING",
                 fmt::format("{}", options.padding), fmt::format("0..{}", kMaxPadding),
                 "the references use 10");
  check_probability("INPUT.PROB", options.flip_probability);
  check_probability("INPUT.RE_PROB", options.erasing_probability);
}

// Both ends included.
int below_or_at(int last, double uniform) {
  return static_cast<int>(uniform * (last + 1));
}

bool is_valid(const Augmentation& augmentation, const TrainTransformOptions& options) {
  const CropOffset& crop = augmentation.crop;
  const int last = 2 * options.padding;
  if (crop.top < 0 || crop.top > last || crop.left < 0 || crop.left > last) return false;
  if (!augmentation.erase) return true;
  const Rectangle& r = *augmentation.erase;
  return r.top >= 0 && r.left >= 0 && r.height >= 0 && r.width >= 0 && r.height <= options.height - r.top &&
         r.width <= options.width - r.left;
}

// Which part of a row of `width` pixels comes from the image once it is shifted left by `shift`.
struct Span {
  int first, end; // end >= first
};
Span visible(int width, int shift) {
  const int first = std::clamp(-shift, 0, width);
  return {first, std::clamp(width - shift, first, width)};
}

} // namespace

std::optional<Rectangle> draw_erase(int height, int width, double probability,
                                    const std::function<double()>& uniform) {
  if (uniform() > probability) return std::nullopt;
  const auto between = [&](double low, double high) { return low + (high - low) * uniform(); };
  for (int attempt = 0; attempt < kEraseTries; ++attempt) {
    const double area = between(kMinArea, kMaxArea) * (height * width);
    const double aspect = std::exp(between(std::log(kMinAspect), std::log(1 / kMinAspect)));
    Rectangle part;
    part.height = static_cast<int>(std::nearbyint(std::sqrt(area * aspect))); // halves to even
    part.width = static_cast<int>(std::nearbyint(std::sqrt(area / aspect)));
    if (part.height >= height || part.width >= width) continue;
    part.top = below_or_at(height - part.height, uniform());
    part.left = below_or_at(width - part.width, uniform());
    return part;
  }
  return std::nullopt;
}

Augmentation draw_augmentation(const TrainTransformOptions& options, Random& random) {
  const std::uint64_t offsets = 2 * static_cast<std::uint64_t>(options.padding) + 1;
  Augmentation drawn;
  drawn.flip = random.chance(options.flip_probability);
  drawn.crop.top = static_cast<int>(random.below(offsets));
  drawn.crop.left = static_cast<int>(random.below(offsets));
  drawn.erase = draw_erase(options.height, options.width, options.erasing_probability,
                           [&random] { return random.uniform(); });
  drawn.noise_key = (std::uint64_t{random.bits()} << 32) | random.bits();
  return drawn;
}

TrainTransform::TrainTransform(const TrainTransformOptions& options) : options_(options) {
  check_options(options);
  table_ = make_pixel_table(options.mean, options.std);
}

void TrainTransform::resize(const Image& image, Image& out) {
  resizer_.resize(image, resize_options(), out);
}

void TrainTransform::run(const Image& image, const Augmentation& augmentation, std::span<float> out) {
  const auto& erase = augmentation.erase;
  noise_.resize(erase ? std::size_t{3} * erase->height * erase->width : 0);
  if (erase) fill_normal(augmentation.noise_key, noise_);
  run(image, augmentation, noise_, out);
}

void TrainTransform::run(const Image& image, const Augmentation& augmentation, std::span<const float> noise,
                         std::span<float> out) {
  VLREID_ASSERT(out.size() == size() && is_valid(augmentation, options_));
  const Span rows = visible(options_.height, augmentation.crop.top - options_.padding);
  resizer_.start(image, resize_options());
  for (int y = 0; y < options_.height; ++y)
    write_row(y, y >= rows.first && y < rows.end, augmentation, out.data());
  if (augmentation.erase) erase(*augmentation.erase, noise, out.data());
}

void TrainTransform::write_row(int y, bool is_inside, const Augmentation& augmentation, float* out) {
  const int width = options_.width;
  const std::size_t plane = size() / 3;
  const int shift = augmentation.crop.left - options_.padding;
  const Span columns = is_inside ? visible(width, shift) : Span{width, width};
  float* line = out + static_cast<std::size_t>(y) * width;
  for (std::size_t c = 0; c < table_.values.size(); ++c) {
    std::fill_n(line + c * plane, columns.first, table_.values[c][0]);
    std::fill_n(line + c * plane + columns.end, width - columns.end, table_.values[c][0]);
  }
  const int count = columns.end - columns.first;
  if (count == 0) return;
  const std::uint8_t* row = resizer_.row(y + augmentation.crop.top - options_.padding);
  const int first = columns.first + shift; // in the image, or in the flipped one
  if (augmentation.flip)
    write_pixel_row(table_, row + std::ptrdiff_t{3} * (width - first - count), count, Direction::reversed,
                    plane, line + columns.first);
  else
    write_pixel_row(table_, row + std::ptrdiff_t{3} * first, count, Direction::forward, plane,
                    line + columns.first);
}

void TrainTransform::erase(const Rectangle& part, std::span<const float> noise, float* out) const {
  const std::size_t height = part.height, width = part.width;
  VLREID_ASSERT(noise.size() == 3 * height * width);
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t y = 0; y < height; ++y)
      std::copy_n(noise.data() + (c * height + y) * width, width,
                  out + c * (size() / 3) + (part.top + y) * options_.width + part.left);
}

} // namespace vlreid
