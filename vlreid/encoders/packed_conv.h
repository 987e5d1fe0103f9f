// A convolution with its BatchNorm folded in, as one product of the pixels' neighbourhoods with packed
// weights. On a CPU and shared_pool(); images are channels last.
#pragma once

#include "vlreid/image/pixel_statistics.h"
#include "vlreid/nn/layers.h"
#include "vlreid/nn/scratch.h"
#include "vlreid/products/products.h"

#include <vector>

namespace vlreid {

// [batch, height, width, channels] float32, or bfloat16.
struct FeatureMap {
  std::int64_t batch = 0, height = 0, width = 0, channels = 0;
  bool is_narrow = false;
  Scratch memory = {};

  std::int64_t pixels() const { return batch * height * width; }
  // T is float or at::BFloat16, as is_narrow says.
  template <typename T>
  T* values() const {
    return reinterpret_cast<T*>(memory.data());
  }
  // body(values), a pointer to either.
  template <typename Body>
  void with_values(const Body& body) const {
    if (is_narrow)
      body(values<at::BFloat16>());
    else
      body(values<float>());
  }
  // A row for each pixel.
  Numbers numbers() const;
  ProductOutput output() const;
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
  // Pixels of the output.
  struct Pixels {
    std::int64_t first, count;
  };
  // Where a neighbourhood begins in the input; top and left may be outside.
  struct Corner {
    std::int64_t image, top, left;
  };
  Corner corner_of(std::int64_t pixel, const FeatureMap& out) const;
  // Their neighbourhoods [count, k*k*in], of T as in the map.
  template <typename T>
  void gather(const FeatureMap& x, const FeatureMap& out, Pixels pixels, T* rows) const;
  // Where in the map the pixels of those neighbourhoods are, or null outside: [count, k*k].
  void find_pieces(const FeatureMap& x, const FeatureMap& out, Pixels pixels,
                   std::vector<const Bf16*>& pieces) const;
  void load(const FeatureMap& x, const FeatureMap& out, Pixels pixels, PackedRows& rows) const;

  Panels weight_; // [out, k*k*in]
  std::vector<float> bias_;
  std::int64_t kernel_ = 1, stride_ = 1, channels_ = 0;
};

// Means of 2 x 2 pixels; `out` becomes of the type of `x`.
void halve(const FeatureMap& x, FeatureMap& out);
// Means of all pixels: out [batch, channels].
void mean_of_pixels(const FeatureMap& x, float* out);
// Contiguous images [B, 3, H, W] float32 with channels last; `out` has their size, and its own type.
void channels_last(const at::Tensor& images, FeatureMap& out);
// Contiguous images [B, H, W, 3] uint8, normalised in float32 as the references do.
void normalise(const at::Tensor& images, const PixelStatistics& pixels, FeatureMap& out);

} // namespace vlreid
