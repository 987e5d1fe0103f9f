// Image -> float [3, H, W] that a vision encoder reads: resize, to [0, 1], normalise; value = (u8/255 -
// mean)/std in float32 in that order, as the references do (reference-behaviour section 7). Also the flipped
// view, and the second test view of MM (datasets section 6): resize, flip, pad 10 left/right and 5 top/bottom
// with black, crop at a given offset, normalise. A TestTransform keeps scratch memory: one per thread.
#pragma once

#include "vlreid/base/random.h"
#include "vlreid/image/image.h"
#include "vlreid/image/resize.h"
#include "vlreid/transforms/pixel_row.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

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

struct TestTransformOptions {
  int height = 256;
  int width = 128;
  Filter filter = Filter::bilinear;
  std::array<float, 3> mean = kVitPixels.mean;
  std::array<float, 3> std = kVitPixels.std;
};

// Where MM's second view cuts its H x W out of the padded image.
struct CropOffset {
  int top = 5;   // 0..10
  int left = 10; // 0..20
};

// Uniform over all offsets, both ends included.
CropOffset draw_crop_offset(Random& random);

class TestTransform {
public:
  // REQUIRES (else ErrorKind::config): sizes in 1..8192, std > 0.
  explicit TestTransform(const TestTransformOptions& options);

  const TestTransformOptions& options() const { return options_; }
  std::size_t size() const { return std::size_t{3} * options_.height * options_.width; }

  // All fill `out`, [3, H, W]. REQUIRES: out.size() == size(), image not empty.
  void plain(const Image& image, std::span<float> out);
  void flipped(const Image& image, std::span<float> out);
  void second_view(const Image& image, CropOffset offset, std::span<float> out);

private:
  void write_row(int y, const std::uint8_t* row, Direction direction, float* out) const;
  void run(const Image& image, Direction direction, std::span<float> out);

  TestTransformOptions options_;
  PixelTable table_;
  Resizer resizer_;
};

} // namespace vlreid
