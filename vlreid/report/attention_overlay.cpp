#include "vlreid/report/attention_overlay.h"

#include "vlreid/base/error.h"
#include "vlreid/image/resize.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace vlreid {
namespace {

constexpr std::array<std::array<float, 3>, 4> kGlow = {
    {{20, 11, 53}, {158, 40, 100}, {245, 125, 21}, {252, 255, 164}}}; // night, plum, orange, pale yellow
constexpr float kLeastCover = 0.30f, kMostCover = 0.70f;              // of the crop by the colour

// `level` 0..1
std::array<float, 3> glow(float level) {
  const float place = level * (kGlow.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(place), kGlow.size() - 2);
  std::array<float, 3> colour{};
  for (std::size_t c = 0; c < 3; ++c)
    colour[c] = std::lerp(kGlow[below][c], kGlow[below + 1][c], place - static_cast<float>(below));
  return colour;
}

// The map as a grey picture, lowest weight black, highest white.
Image grey(const AttentionMap& map) {
  Image image = make_image(map.height, map.width);
  const auto [low, high] = std::ranges::minmax(map.weights);
  const float range = high > low ? high - low : 1;
  for (std::size_t i = 0; i < map.weights.size(); ++i)
    std::fill_n(&image.pixels[3 * i], 3,
                static_cast<std::uint8_t>(std::lround(255 * ((map.weights[i] - low) / range))));
  return image;
}

} // namespace

Image attention_overlay(const Image& crop, const AttentionMap& map) {
  VLREID_ASSERT(map.height > 0 && map.width > 0 &&
                map.weights.size() ==
                    static_cast<std::size_t>(map.height) * static_cast<std::size_t>(map.width));
  const Image levels =
      resize(grey(map), {.height = crop.height, .width = crop.width, .filter = Filter::bilinear});
  Image drawn = crop;
  for (std::size_t i = 0; i < drawn.pixels.size(); i += 3) {
    const float level = static_cast<float>(levels.pixels[i]) / 255;
    const std::array<float, 3> colour = glow(level);
    const float cover = std::lerp(kLeastCover, kMostCover, level);
    for (std::size_t c = 0; c < 3; ++c)
      drawn.pixels[i + c] = static_cast<std::uint8_t>(
          std::lround(std::lerp(static_cast<float>(crop.pixels[i + c]), colour[c], cover)));
  }
  return drawn;
}

} // namespace vlreid
