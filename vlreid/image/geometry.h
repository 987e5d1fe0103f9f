// Exact moves of pixels, no interpolation: flip, pad, crop, paste. Sizes that do not fit are our caller's
// fault (assertions). Pure functions, thread safe.
#pragma once

#include "vlreid/image/image.h"

#include <array>
#include <cstdint>

namespace vlreid {

using Rgb = std::array<std::uint8_t, 3>;

struct Padding {
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
};

struct Rectangle {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

// Left and right exchanged.
Image flip(const Image& image);
void flip_in_place(Image& image);

Image pad(const Image& image, const Padding& padding, Rgb colour = {0, 0, 0});

// REQUIRES: the rectangle is not empty and lies within the image.
Image crop(const Image& image, const Rectangle& part);

// Copies `patch` onto `image` with its corner at (top, left); what falls outside is left out.
void paste(Image& image, const Image& patch, int top, int left);

} // namespace vlreid
