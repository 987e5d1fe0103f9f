// Image -> what a vision encoder reads, resized: bytes [H, W, 3] of RGB, which inference forms normalise
// themselves (encoders/image_encoder.h), and from them floats [3, H, W], value = (u8/255 - mean)/std in
// float32 in that order, as the references do (reference-behaviour section 7). Also the flipped view, and the
// second test view of MM (datasets section 6): resize, flip, pad 10 left/right and 5 top/bottom with black,
// crop at a given offset. A TestTransform keeps scratch memory: one per thread.
#pragma once

#include "vlreid/base/random.h"
#include "vlreid/image/image.h"
#include "vlreid/image/pixel_statistics.h"
#include "vlreid/image/resize.h"
#include "vlreid/transforms/pixel_row.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vlreid {

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

  // All fill `out`, [H, W, 3]. REQUIRES: out.size() == size(), image not empty.
  void plain(const Image& image, std::span<std::uint8_t> out);
  void flipped(const Image& image, std::span<std::uint8_t> out);
  void second_view(const Image& image, CropOffset offset, std::span<std::uint8_t> out);
  // Bytes [H, W, 3] -> normalised floats [3, H, W].
  void normalise(std::span<const std::uint8_t> bytes, std::span<float> out) const;

private:
  TestTransformOptions options_;
  PixelTable table_;
  Resizer resizer_;
};

} // namespace vlreid
