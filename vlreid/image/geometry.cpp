#include "vlreid/image/geometry.h"

#include "vlreid/base/error.h"

#include <algorithm>

namespace vlreid {

void flip_in_place(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* left = image.row(y);
    std::uint8_t* right = left + image.row_bytes();
    for (; left + 3 < right; left += 3) {
      right -= 3;
      std::swap_ranges(left, left + 3, right);
    }
  }
}

Image flip(const Image& image) {
  Image out = image;
  flip_in_place(out);
  return out;
}

Image pad(const Image& image, const Padding& padding, Rgb colour) {
  VLREID_ASSERT(std::min({padding.top, padding.bottom, padding.left, padding.right}) >= 0);
  Image out =
      make_image(image.height + padding.top + padding.bottom, image.width + padding.left + padding.right);
  for (std::size_t i = 0; i < out.pixels.size(); i += 3)
    std::ranges::copy(colour, &out.pixels[i]);
  paste(out, image, padding.top, padding.left);
  return out;
}

Image crop(const Image& image, const Rectangle& part) {
  VLREID_ASSERT(part.top >= 0 && part.left >= 0 && part.height > 0 && part.width > 0);
  VLREID_ASSERT(part.height <= image.height - part.top && part.width <= image.width - part.left);
  Image out = make_image(part.height, part.width);
  for (int y = 0; y < part.height; ++y)
    std::copy_n(image.row(part.top + y) + std::size_t{3} * part.left, out.row_bytes(), out.row(y));
  return out;
}

void paste(Image& image, const Image& patch, int top, int left) {
  const int first_x = std::max(left, 0);
  const int end_x = std::min(left + patch.width, image.width);
  if (first_x >= end_x) return;
  const int first_y = std::max(top, 0);
  const int end_y = std::min(top + patch.height, image.height);
  for (int y = first_y; y < end_y; ++y)
    std::copy_n(patch.row(y - top) + std::size_t{3} * (first_x - left), std::size_t{3} * (end_x - first_x),
                image.row(y) + std::size_t{3} * first_x);
}

} // namespace vlreid
