// Inside of the transforms: bytes of RGB -> planes of normalised floats, value = (u8/255 - mean)/std in
// float32 in that order, as the references do. Tables of the 256 values, made once per transform. Thread
// safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vlreid {

// Value of each byte, per channel, and what it is computed from.
struct PixelTable {
  std::array<std::array<float, 256>, 3> values;
  std::array<float, 3> mean, std;
  // Vectors of multiplications give the very values of all 256 bytes, which then need not be looked up.
  bool is_computed_exactly = false;
};

PixelTable make_pixel_table(const std::array<float, 3>& mean, const std::array<float, 3>& std);

// Throws Error (config) unless height and width are in 1..8192 and std is above 0.
void check_pixel_options(const char* size_key, int height, int width, const std::array<float, 3>& std);

enum class Direction { forward, reversed };

// `width` RGB pixels of `row`, in the direction, to red, green and blue planes that are `plane` floats apart;
// `out` is the place of the first in the red one.
void write_pixel_row(const PixelTable& table, const std::uint8_t* row, int width, Direction direction,
                     std::size_t plane, float* out);

} // namespace vlreid
