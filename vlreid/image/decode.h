// Image file -> Image. JPEG, PNG, WebP and BMP, told apart by their first bytes and never by their name, give
// what Pillow's `open().convert("RGB")` gives (reference-behaviour section 7): alpha dropped, EXIF
// orientation ignored, CMYK taken as Adobe writes it (inverted), 16-bit grey clipped at 255, 16-bit RGB
// reduced to its high byte. The bytes are hostile: sizes and scans are checked against DecodeLimits before
// anything of their size is allocated, and every fault is an Error of kind `data` whose place is the name
// given. Thread safe.
#pragma once

#include "vlreid/image/image.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace vlreid {

struct DecodeLimits {
  std::uint64_t max_file_bytes = std::uint64_t{256}
                                 << 20;  // above any camera's file, below what hurts a worker
  std::uint64_t max_pixels = 64'000'000; // 64 megapixels: 192 MB of RGB
  int max_side = 65'535;                 // what JPEG can store; keeps resize tables small
  int max_scans = 100;                   // progressive JPEG; encoders write about 10
  // COMPAT: the references load cut-off JPEG, PNG and BMP files, the missing part grey or black. Off: such a
  // file is an error.
  bool accept_truncated = false;
};

enum class ImageFormat { jpeg, png, webp, bmp };

// "JPEG", "PNG", "WebP", "BMP".
std::string_view format_name(ImageFormat format);

struct ImageInfo {
  ImageFormat format = ImageFormat::jpeg;
  int height = 0;
  int width = 0;
  std::string mode; // what the file stores, in Pillow's words: 1 L P LA RGB RGBA CMYK I;16
};

// Reads the header only, so any declared size is reported, however large.
ImageInfo probe_image(std::span<const std::byte> bytes, std::string_view name);

// `name` is what messages call the bytes: usually the path.
Image decode_image(std::span<const std::byte> bytes, std::string_view name, const DecodeLimits& limits = {});
Image load_image(const std::filesystem::path& path, const DecodeLimits& limits = {});

// The same into an image whose memory is reused, for loops over many files.
void decode_image_into(std::span<const std::byte> bytes, std::string_view name, const DecodeLimits& limits,
                       Image& out);
void load_image_into(const std::filesystem::path& path, const DecodeLimits& limits, Image& out);

} // namespace vlreid
