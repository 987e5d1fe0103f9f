// Inside of resize: the weights of one pass, and the two inner loops in their plain and AVX2 forms. Both
// forms compute the same integers, so they give the same bytes. Not for use outside the folder.
#pragma once

#include "vlreid/image/resize.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vlreid {

// Weights carry 22 fraction bits: 8 bits of pixel and 2 of headroom are left of 32 (Pillow's choice, needed
// for equal bytes).
inline constexpr int kWeightBits = 22;
inline constexpr std::int32_t kWeightHalf = 1 << (kWeightBits - 1);

// AVX2 multiplies 16-bit numbers, so a weight w is also kept as high * 2^15 + low, 0 <= low < 2^15.
inline constexpr int kLowBits = 15;

// The horizontal kernel makes this many pixels of a row together; tables are padded to a multiple of it.
inline constexpr int kPixelsAtOnce = 4;

// Bytes that the horizontal kernel may write after the last pixel of a row.
inline constexpr std::size_t kWriteSlack = 16;

struct PassWeights {
  int output = 0; // pixels along the axis
  int taps = 0;   // weights kept per output pixel: even, zeros where the filter ends earlier
  int reach = 0;  // input pixels behind `first` that exist, at most `taps`; weights from there on are 0
  std::vector<std::int32_t> first;   // [padded output] first input pixel; first + reach is within the input
  std::vector<std::int32_t> weights; // [padded output, taps]
  std::vector<std::int32_t>
      packed; // [padded output, taps/2, {low, high}], each two 16-bit halves for two neighbouring taps

  std::size_t bytes() const { return 4 * (first.size() + weights.size() + packed.size()); }
  // Bytes that the horizontal kernel may read after the last pixel of a row.
  std::size_t read_slack() const { return static_cast<std::size_t>(taps) * 3 + 16; }
};

PassWeights make_pass_weights(int input, int output, Filter filter);

struct RowBlock {
  const std::uint8_t* source; // rows of RGB; read_slack() bytes may be read after each
  std::size_t source_stride;
  int rows;
  std::uint8_t* out; // rows of RGB; kWriteSlack bytes may be written after each
  std::size_t out_stride;
};

struct ResizeKernels {
  void (*horizontal)(const PassWeights& pass, const RowBlock& block);
  // Output row y of `bytes` bytes from the rows of `source`; reads and writes nothing beyond them.
  void (*vertical)(const PassWeights& pass, int y, const std::uint8_t* source, std::size_t stride,
                   std::size_t bytes, std::uint8_t* out);
};

ResizeKernels plain_resize_kernels();
// The fastest that this processor runs.
ResizeKernels best_resize_kernels();

} // namespace vlreid
