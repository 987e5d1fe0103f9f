// A convolution with its BatchNorm folded in, as one product of the pixels' neighbourhoods with packed
// weights. On a CPU and shared_pool(); images are channels last.
#pragma once

#include "vlreid/image/pixel_statistics.h"
#include "vlreid/nn/layers.h"
#include "vlreid/nn/scratch.h"
#include "vlreid/products/products.h"

#include <vector>

namespace vlreid {

// [batch, height, width, channels] float32.
struct FeatureMap {
  std::int64_t batch = 0, height = 0, width = 0, channels = 0;
  Scratch memory = {};

  std::int64_t pixels() const { return batch * height * width; }
  float* values() const { return memory.data(); }
  // Undefined values unless the size is unchanged.
  void resize(std::int64_t new_batch, std::int64_t new_height, std::int64_t new_width,
              std::int64_t new_channels);
};

class PackedConv {
public:
  PackedConv() = default;
  // weight [out, in, k, k], bias [out]; the padding keeps the size at stride 1.
  PackedConv(const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride, ProductType type);

  // Epilogues that add find the map to add to in `out`.
  void forward(const FeatureMap& x, Epilogue::Kind kind, FeatureMap& out) const;

private:
  // The neighbourhoods of output pixels [first, first + count): [count, k*k*in].
  void gather(const FeatureMap& x, const FeatureMap& out, std::int64_t first, std::int64_t count,
              float* rows) const;

  Panels weight_; // [out, k*k*in]
  std::vector<float> bias_;
  std::int64_t kernel_ = 1, stride_ = 1, channels_ = 0;
};

// Means of 2 x 2 pixels.
void halve(const FeatureMap& x, FeatureMap& out);
// Means of all pixels: out [batch, channels].
void mean_of_pixels(const FeatureMap& x, float* out);
// Contiguous images [B, 3, H, W] float32 with channels last; `out` has their size.
void channels_last(const at::Tensor& images, FeatureMap& out);
// Contiguous images [B, H, W, 3] uint8, normalised in float32 as the references do.
void normalise(const at::Tensor& images, const PixelStatistics& pixels, FeatureMap& out);

} // namespace vlreid
