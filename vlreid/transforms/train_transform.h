// Image -> augmented float [3, H, W] for training, in one pass over the pixels (datasets section 6): resize
// bicubic, flip, pad with black, crop H x W, to [0, 1], normalise, erase a rectangle with standard normal
// noise. What is done to an image is drawn first (Augmentation), then carried out, so tests and replays can
// give the choices. A TrainTransform keeps scratch memory: one per thread.
#pragma once

#include "vlreid/base/random.h"
#include "vlreid/image/geometry.h"
#include "vlreid/image/image.h"
#include "vlreid/image/resize.h"
#include "vlreid/transforms/pixel_row.h"
#include "vlreid/transforms/test_transform.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace vlreid {

struct TrainTransformOptions {
  int height = 256; // INPUT.SIZE_TRAIN
  int width = 128;
  std::array<float, 3> mean = kVitPixels.mean;
  std::array<float, 3> std = kVitPixels.std;
  double flip_probability = 0.5;    // INPUT.PROB
  int padding = 10;                 // INPUT.PADDING, on all four sides
  double erasing_probability = 0.5; // INPUT.RE_PROB
};

// The choices for one image.
struct Augmentation {
  bool flip = false;
  CropOffset crop = {};                // in the padded image: 0..2 * padding
  std::optional<Rectangle> erase = {}; // in the output
  std::uint64_t noise_key = 0;         // the noise in the rectangle follows from it

  bool operator==(const Augmentation&) const = default;
};

Augmentation draw_augmentation(const TrainTransformOptions& options, Random& random);

// The part of draw_augmentation that chooses the rectangle, from uniform numbers in [0, 1): whether (u <=
// probability), then up to ten times area and aspect, then top and left. None: not this time, or all tries
// were too large.
std::optional<Rectangle> draw_erase(int height, int width, double probability,
                                    const std::function<double()>& uniform);

class TrainTransform {
public:
  // REQUIRES (else ErrorKind::config): sizes in 1..8192, std > 0, padding in 0..1024, probabilities in [0,
  // 1].
  explicit TrainTransform(const TrainTransformOptions& options);

  const TrainTransformOptions& options() const { return options_; }
  std::size_t size() const { return std::size_t{3} * options_.height * options_.width; }

  // The first step alone, for a cache of resized images: run() on `out` gives the same as on `image`.
  void resize(const Image& image, Image& out);

  // Fills `out`, [3, H, W]. REQUIRES: out.size() == size(), image not empty, choices within their ranges.
  void run(const Image& image, const Augmentation& augmentation, std::span<float> out);
  // The same with given noise for the rectangle, [3, h, w] of it (empty: none to erase).
  void run(const Image& image, const Augmentation& augmentation, std::span<const float> noise,
           std::span<float> out);

private:
  ResizeOptions resize_options() const {
    return {.height = options_.height, .width = options_.width, .filter = Filter::bicubic};
  }
  void write_row(int y, bool is_inside, const Augmentation& augmentation, float* out);
  void erase(const Rectangle& part, std::span<const float> noise, float* out) const;

  TrainTransformOptions options_;
  PixelTable table_;
  Resizer resizer_;
  std::vector<float> noise_;
};

} // namespace vlreid
