// Uncompressed Windows bitmaps. Layout, little endian:
//
//     0   "BM", file size (4), reserved (4), offset of the pixels (4)
//     14  header size (4): 40 or more; width (4), height (4, negative: top row first), planes (2), bits per
//     pixel (2),
//         compression (4): 0 none, 3 bit masks; image size (4), resolution (8), colours used (4), important
//         colours (4)
//     54  with compression 3: masks of red, green and blue (4 each), as part of the header or behind one of
//     40 bytes 14 + header size: palette of 8-bit images, 4 bytes a colour: blue, green, red, unused rows
//     from the bottom up, each padded to 4 bytes, blue first
#include "vlreid/image/codecs.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

namespace vlreid {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::uint32_t kInfoHeader = 40;
constexpr std::uint32_t kUncompressed = 0;
constexpr std::uint32_t kBitMasks = 3;

struct BmpHeader {
  std::size_t pixels_at = 0;
  std::size_t palette_at = 0;
  int width = 0;
  int height = 0;
  bool is_top_down = false;
  int bits = 0; // 8, 24 or 32
  std::size_t colours = 0;
  std::size_t stride = 0;
};

// Little-endian number of `size` bytes; beyond the end the file is cut off.
std::uint32_t number_at(const Source& source, std::size_t offset, std::size_t size) {
  if (offset > source.bytes.size() || size > source.bytes.size() - offset)
    fail_truncated(source, ImageFormat::bmp);
  std::uint32_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = value << 8 | source.data()[offset + i];
  return value;
}

void check_kind(const Source& source, std::uint32_t header_size, const BmpHeader& header) {
  if (header_size < kInfoHeader || header_size > 1024)
    fail_unsupported(source, ImageFormat::bmp, fmt::format("a header of {} bytes", header_size),
                     "one of 40 to 124 bytes");
  if (header.bits != 8 && header.bits != 24 && header.bits != 32)
    fail_unsupported(source, ImageFormat::bmp, fmt::format("{} bits a pixel", header.bits), "8, 24 or 32");
  const std::uint32_t compression = number_at(source, 30, 4);
  const bool has_usual_masks = compression == kBitMasks && header.bits == 32 &&
                               number_at(source, 54, 4) == 0xff0000 && number_at(source, 58, 4) == 0xff00 &&
                               number_at(source, 62, 4) == 0xff;
  if (compression != kUncompressed && !has_usual_masks)
    fail_unsupported(source, ImageFormat::bmp, fmt::format("compression {}", compression),
                     "an uncompressed one");
}

BmpHeader read_header(const Source& source) {
  const std::uint32_t header_size = number_at(source, kFileHeader, 4);
  const auto height = static_cast<std::int32_t>(number_at(source, 22, 4));
  BmpHeader header{.pixels_at = number_at(source, 10, 4),
                   .palette_at = kFileHeader + header_size,
                   .width = static_cast<std::int32_t>(number_at(source, 18, 4)),
                   .is_top_down = height < 0,
                   .bits = static_cast<int>(number_at(source, 28, 2))};
  check_kind(source, header_size, header);
  if (header.width <= 0 || height == 0 || height == INT32_MIN)
    fail_damaged(source, ImageFormat::bmp, fmt::format("a header of {} x {} pixels", header.width, height));
  header.height = std::abs(height);
  header.stride = (static_cast<std::size_t>(header.width) * header.bits / 8 + 3) / 4 * 4;
  const std::uint32_t colours = number_at(source, 46, 4);
  header.colours = colours == 0 ? 256 : std::min<std::size_t>(colours, 256);
  return header;
}

Palette read_palette(const Source& source, const BmpHeader& header) {
  Palette palette{};
  for (std::size_t i = 0; i < header.colours; ++i) {
    const std::uint32_t colour = number_at(source, header.palette_at + 4 * i, 4);
    palette[i] = {static_cast<std::uint8_t>(colour >> 16), static_cast<std::uint8_t>(colour >> 8),
                  static_cast<std::uint8_t>(colour)};
  }
  return palette;
}

void convert_row(const std::uint8_t* in, int bits, const Palette& palette, int width, std::uint8_t* out) {
  const int bytes = bits / 8;
  for (int x = 0; x < width; ++x, in += bytes, out += 3) {
    if (bits == 8)
      std::ranges::copy(palette[*in], out);
    else
      std::reverse_copy(in, in + 3, out);
  }
}

} // namespace

ImageInfo probe_bmp(const Source& source) {
  const BmpHeader header = read_header(source);
  return {.format = ImageFormat::bmp,
          .height = header.height,
          .width = header.width,
          .mode = header.bits == 8 ? "P" : "RGB"};
}

void decode_bmp(const Source& source, const DecodeLimits& limits, Image& out) {
  const BmpHeader header = read_header(source);
  prepare_output(source, header.height, header.width, limits, out);
  const Palette palette = header.bits == 8 ? read_palette(source, header) : Palette{};
  const std::size_t row_bytes = static_cast<std::size_t>(header.width) * header.bits / 8;
  for (int i = 0; i < header.height; ++i) {
    const std::size_t start = header.pixels_at + i * header.stride;
    if (start + row_bytes > source.bytes.size()) {
      if (limits.accept_truncated) return;
      fail_truncated(source, ImageFormat::bmp);
    }
    const int y = header.is_top_down ? i : header.height - 1 - i;
    convert_row(source.data() + start, header.bits, palette, header.width, out.row(y));
  }
}

} // namespace vlreid
