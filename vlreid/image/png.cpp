#include "vlreid/image/codecs.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <png.h>
#include <vector>

namespace vlreid {
namespace {

// libpng's state with its callbacks; errors jump back into run(), as in the JPEG reader.
class PngReader {
public:
  PngReader(const Source& source, const DecodeLimits& limits);
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  ImageInfo read_header();
  void read_pixels(Image& out);

private:
  static PngReader& of(png_structp png) { return *static_cast<PngReader*>(png_get_error_ptr(png)); }
  [[noreturn]] static void fail_step(png_structp png, png_const_charp text);
  static void supply(png_structp png, png_bytep out, std::size_t count);

  template <typename Step>
  void run(Step step);
  void choose_transforms();
  // Rows of the whole image, `stride` apart, every pass of an interlaced file.
  void read_rows(std::uint8_t* rows, std::size_t stride, int height);
  void read_palette_image(Image& out);
  void read_grey16_image(Image& out);

  const Source& source_;
  const DecodeLimits& limits_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int colour_type_ = 0;
  int depth_ = 0;
  int passes_ = 1;
  std::size_t position_ = 0;
  bool is_cut_off_ = false;
  char message_[128] = {};
  std::jmp_buf jump_{};
};

PngReader::PngReader(const Source& source, const DecodeLimits& limits) : source_(source), limits_(limits) {
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail_step, [](png_structp, png_const_charp) {});
  VLREID_ASSERT(png_ != nullptr);
  run([this] {
    info_ = png_create_info_struct(png_);
    png_set_read_fn(png_, this, supply);
    // Sizes are checked by prepare_output, with a clearer message than libpng's.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Colour profiles, texts and the like: neither read nor inflated.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    // Byte by byte, so that the rows before a cut are not lost with the rest of a buffer.
    if (limits_.accept_truncated) png_set_compression_buffer_size(png_, 1);
  });
}

void PngReader::fail_step(png_structp png, png_const_charp text) {
  PngReader& reader = of(png);
  std::snprintf(reader.message_, sizeof reader.message_, "%s", text);
  std::longjmp(reader.jump_, 1);
}

void PngReader::supply(png_structp png, png_bytep out, std::size_t count) {
  PngReader& reader = of(png);
  const std::span<const std::byte> left = reader.source_.bytes.subspan(reader.position_);
  if (count > left.size()) {
    reader.is_cut_off_ = true;
    png_error(png, "cut off");
  }
  std::memcpy(out, left.data(), count);
  reader.position_ += count;
}

template <typename Step>
void PngReader::run(Step step) {
  if (setjmp(jump_) == 0) {
    step();
    return;
  }
  if (is_cut_off_) fail_truncated(source_, ImageFormat::png);
  fail_damaged(source_, ImageFormat::png, message_);
}

const char* mode_of(int colour_type, int depth) {
  switch (colour_type) {
  case PNG_COLOR_TYPE_GRAY:
    return depth == 1 ? "1" : depth == 16 ? "I;16" : "L";
  case PNG_COLOR_TYPE_PALETTE:
    return "P";
  case PNG_COLOR_TYPE_GRAY_ALPHA:
    return "LA";
  case PNG_COLOR_TYPE_RGB_ALPHA:
    return "RGBA";
  default:
    return "RGB";
  }
}

ImageInfo PngReader::read_header() {
  run([this] { png_read_info(png_, info_); });
  colour_type_ = png_get_color_type(png_, info_);
  depth_ = png_get_bit_depth(png_, info_);
  return {.format = ImageFormat::png,
          .height = static_cast<int>(png_get_image_height(png_, info_)),
          .width = static_cast<int>(png_get_image_width(png_, info_)),
          .mode = mode_of(colour_type_, depth_)};
}

// To 8-bit RGB, but for palettes (8-bit indices) and 16-bit grey (left as it is), whose rules libpng does not
// know.
void PngReader::choose_transforms() {
  png_set_packing(png_);
  if (colour_type_ != PNG_COLOR_TYPE_PALETTE && !(colour_type_ == PNG_COLOR_TYPE_GRAY && depth_ == 16)) {
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    if (depth_ < 8) png_set_expand_gray_1_2_4_to_8(png_);
    png_set_gray_to_rgb(png_);
  }
  passes_ = png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
}

void PngReader::read_rows(std::uint8_t* rows, std::size_t stride, int height) {
  VLREID_ASSERT(png_get_rowbytes(png_, info_) == stride);
  if (setjmp(jump_) != 0) {
    if (is_cut_off_ && limits_.accept_truncated) return;
    if (is_cut_off_) fail_truncated(source_, ImageFormat::png);
    fail_damaged(source_, ImageFormat::png, message_);
  }
  for (int pass = 0; pass < passes_; ++pass)
    for (int y = 0; y < height; ++y)
      png_read_row(png_, rows + y * stride, nullptr);
}

void PngReader::read_palette_image(Image& out) {
  std::vector<std::uint8_t> indices(static_cast<std::size_t>(out.height) * out.width);
  read_rows(indices.data(), out.width, out.height);
  Palette palette{};
  png_colorp colours = nullptr;
  int count = 0;
  if (png_get_PLTE(png_, info_, &colours, &count) == 0) count = 0;
  for (int i = 0; i < count; ++i)
    palette[i] = {colours[i].red, colours[i].green, colours[i].blue};
  for (std::size_t i = 0; i < indices.size(); ++i)
    std::ranges::copy(palette[indices[i]], &out.pixels[3 * i]);
}

// COMPAT: values above 255 become 255, not scaled down.
void PngReader::read_grey16_image(Image& out) {
  const std::size_t count = static_cast<std::size_t>(out.height) * out.width;
  std::vector<std::uint8_t> values(2 * count);
  read_rows(values.data(), std::size_t{2} * out.width, out.height);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t clipped = values[2 * i] == 0 ? values[2 * i + 1] : 255;
    std::fill_n(&out.pixels[3 * i], 3, clipped);
  }
}

void PngReader::read_pixels(Image& out) {
  run([this] { choose_transforms(); });
  if (colour_type_ == PNG_COLOR_TYPE_PALETTE)
    read_palette_image(out);
  else if (colour_type_ == PNG_COLOR_TYPE_GRAY && depth_ == 16)
    read_grey16_image(out);
  else
    read_rows(out.pixels.data(), out.row_bytes(), out.height);
}

} // namespace

ImageInfo probe_png(const Source& source) {
  const DecodeLimits limits;
  return PngReader(source, limits).read_header();
}

void decode_png(const Source& source, const DecodeLimits& limits, Image& out) {
  PngReader reader(source, limits);
  const ImageInfo info = reader.read_header();
  prepare_output(source, info.height, info.width, limits, out);
  reader.read_pixels(out);
}

} // namespace vlreid
