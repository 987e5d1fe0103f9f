// A decoded picture: what decode makes, resize and geometry change, and transforms turn into numbers for a
// model. Plain value, no pixel format variants: everything that comes in becomes 8-bit RGB, as the references
// load it (reference-behaviour section 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vlreid {

struct Image {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels; // [H, W, 3] RGB, rows without padding

  std::size_t row_bytes() const { return static_cast<std::size_t>(width) * 3; }
  const std::uint8_t* row(int y) const { return pixels.data() + static_cast<std::size_t>(y) * row_bytes(); }
  std::uint8_t* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * row_bytes(); }

  // Sets the size; keeps the memory, and leaves the values of the pixels unspecified.
  void reshape(int new_height, int new_width) {
    height = new_height;
    width = new_width;
    pixels.resize(static_cast<std::size_t>(new_height) * row_bytes());
  }

  bool operator==(const Image&) const = default;
};

// All pixels black. REQUIRES: both sizes >= 1.
inline Image make_image(int height, int width) {
  return {
      .height = height, .width = width, .pixels = std::vector<std::uint8_t>(std::size_t{3} * height * width)};
}

} // namespace vlreid
