// Image -> file bytes, for made datasets and web pages. Same pixels and options give the same bytes. Thread
// safe.
#pragma once

#include "vlreid/image/image.h"

#include <cstddef>
#include <vector>

namespace vlreid {

// Baseline JPEG, 4:2:0, quality 1..100. REQUIRES: 1..65500 pixels a side.
std::vector<std::byte> encode_jpeg(const Image& image, int quality = 90);
// 8-bit RGB PNG.
std::vector<std::byte> encode_png(const Image& image);

} // namespace vlreid
