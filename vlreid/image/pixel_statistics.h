// What pixels are normalised with: (u8/255 - mean)/std, per channel.
#pragma once

#include <array>

namespace vlreid {

struct PixelStatistics {
  std::array<float, 3> mean; // of R, G, B in [0, 1]
  std::array<float, 3> std;
};

// The only two choices of the references: ViT models use one half, residual networks the statistics of
// ImageNet.
inline constexpr PixelStatistics kVitPixels{.mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}};
inline constexpr PixelStatistics kImageNetPixels{.mean = {0.485f, 0.456f, 0.406f},
                                                 .std = {0.229f, 0.224f, 0.225f}};

} // namespace vlreid
