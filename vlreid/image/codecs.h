// Inside of decode: one pair of functions per format. probe_x reads the header only; decode_x reads it too,
// asks prepare_output for an image of that size, which checks the limits, and fills it. Bytes and name as in
// decode.h. Thread safe.
#pragma once

#include "vlreid/image/decode.h"

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace vlreid {

struct Source {
  std::span<const std::byte> bytes;
  std::string_view name;

  const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }
};

ImageInfo probe_jpeg(const Source& source);
ImageInfo probe_png(const Source& source);
ImageInfo probe_webp(const Source& source);
ImageInfo probe_bmp(const Source& source);

void decode_jpeg(const Source& source, const DecodeLimits& limits, Image& out);
void decode_png(const Source& source, const DecodeLimits& limits, Image& out);
void decode_webp(const Source& source, const DecodeLimits& limits, Image& out);
void decode_bmp(const Source& source, const DecodeLimits& limits, Image& out);

// Refuses sizes beyond the limits before anything is allocated, then shapes `out`, all black if part of it
// may stay unwritten.
void prepare_output(const Source& source, int height, int width, const DecodeLimits& limits, Image& out);

// "a.jpg: damaged JPEG: <what>; a complete JPEG file; copy or download the file again"
[[noreturn]] void fail_damaged(const Source& source, ImageFormat format, std::string_view what);
[[noreturn]] void fail_truncated(const Source& source, ImageFormat format);
// A valid file of a kind that nobody here reads.
[[noreturn]] void fail_unsupported(const Source& source, ImageFormat format, std::string_view what,
                                   std::string_view expected);

// Colours of a palette image; indices that the file gives no colour are black, as Pillow has it.
using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

} // namespace vlreid
