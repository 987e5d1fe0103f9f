#include "vlreid/image/resize_kernels.h"

#include <algorithm>

namespace vlreid {
namespace {

std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

void horizontal_row(const PassWeights& pass, const std::uint8_t* source, std::uint8_t* out) {
  for (int x = 0; x < pass.output; ++x, out += 3) {
    const std::int32_t* weights = &pass.weights[static_cast<std::size_t>(x) * pass.taps];
    const std::uint8_t* pixel = source + static_cast<std::size_t>(pass.first[x]) * 3;
    std::int32_t red = kWeightHalf, green = kWeightHalf, blue = kWeightHalf;
    for (int i = 0; i < pass.reach; ++i, pixel += 3) {
      red += weights[i] * pixel[0];
      green += weights[i] * pixel[1];
      blue += weights[i] * pixel[2];
    }
    out[0] = to_byte(red);
    out[1] = to_byte(green);
    out[2] = to_byte(blue);
  }
}

void horizontal(const PassWeights& pass, const RowBlock& block) {
  for (int y = 0; y < block.rows; ++y)
    horizontal_row(pass, block.source + y * block.source_stride, block.out + y * block.out_stride);
}

// `kBytes` neighbouring bytes at once, a length that compilers turn into vector code.
template <int kBytes>
void vertical_bytes(const std::int32_t* weights, int count, const std::uint8_t* source, std::size_t stride,
                    std::uint8_t* out) {
  std::int32_t sums[kBytes];
  std::fill_n(sums, kBytes, kWeightHalf);
  for (int i = 0; i < count; ++i, source += stride)
    for (int x = 0; x < kBytes; ++x)
      sums[x] += weights[i] * source[x];
  for (int x = 0; x < kBytes; ++x)
    out[x] = to_byte(sums[x]);
}

void vertical(const PassWeights& pass, int y, const std::uint8_t* source, std::size_t stride,
              std::size_t bytes, std::uint8_t* out) {
  const std::int32_t* weights = &pass.weights[static_cast<std::size_t>(y) * pass.taps];
  source += static_cast<std::size_t>(pass.first[y]) * stride;
  std::size_t x = 0;
  for (; x + 16 <= bytes; x += 16)
    vertical_bytes<16>(weights, pass.reach, source + x, stride, out + x);
  for (; x < bytes; ++x)
    vertical_bytes<1>(weights, pass.reach, source + x, stride, out + x);
}

} // namespace

ResizeKernels plain_resize_kernels() {
  return {.horizontal = horizontal, .vertical = vertical};
}

} // namespace vlreid
