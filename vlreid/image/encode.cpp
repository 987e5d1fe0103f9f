#include "vlreid/image/encode.h"

#include "vlreid/base/error.h"

#include <csetjmp>
#include <cstdio> // jpeglib.h needs FILE
#include <cstdlib>
#include <fmt/format.h>
#include <jpeglib.h>
#include <png.h>
#include <span>

namespace vlreid {
namespace {

// libjpeg's state; its errors (none are expected of a valid image) jump back into encode().
class JpegWriter {
public:
  JpegWriter() {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) {
      std::longjmp(static_cast<JpegWriter*>(info->client_data)->jump_, 1);
    };
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
  ~JpegWriter() {
    jpeg_destroy_compress(&info_);
    std::free(buffer_);
  }

  std::span<const std::byte> encode(const Image& image, int quality);

private:
  void write(const Image& image, int quality);

  jpeg_compress_struct info_{};
  jpeg_error_mgr errors_{};
  unsigned char* buffer_ = nullptr; // grown by libjpeg with malloc
  unsigned long size_ = 0;
  std::jmp_buf jump_{};
};

void JpegWriter::write(const Image& image, int quality) {
  jpeg_create_compress(&info_);
  jpeg_mem_dest(&info_, &buffer_, &size_);
  info_.image_width = static_cast<JDIMENSION>(image.width);
  info_.image_height = static_cast<JDIMENSION>(image.height);
  info_.input_components = 3;
  info_.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info_);
  jpeg_set_quality(&info_, quality, TRUE);
  jpeg_start_compress(&info_, TRUE);
  for (int y = 0; y < image.height; ++y) {
    auto* row = const_cast<JSAMPROW>(image.row(y)); // read only, but libjpeg does not say so
    jpeg_write_scanlines(&info_, &row, 1);
  }
  jpeg_finish_compress(&info_);
}

std::span<const std::byte> JpegWriter::encode(const Image& image, int quality) {
  if (setjmp(jump_) != 0) {
    char text[JMSG_LENGTH_MAX];
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), text);
    fail(ErrorKind::internal, {.place = "JPEG encoder", .found = text});
  }
  write(image, quality);
  return {reinterpret_cast<const std::byte*>(buffer_), size_};
}

} // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  VLREID_ASSERT(image.width >= 1 && image.width <= JPEG_MAX_DIMENSION && image.height >= 1 &&
                image.height <= JPEG_MAX_DIMENSION && quality >= 1 && quality <= 100);
  JpegWriter writer;
  const std::span<const std::byte> bytes = writer.encode(image, quality);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> encode_png(const Image& image) {
  VLREID_ASSERT(image.width >= 1 && image.height >= 1);
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  std::vector<std::byte> out(PNG_IMAGE_PNG_SIZE_MAX(header));
  png_alloc_size_t size = out.size();
  if (png_image_write_to_memory(&header, out.data(), &size, 0, image.pixels.data(), 0, nullptr) == 0)
    fail(ErrorKind::internal, {.place = "PNG encoder", .found = header.message});
  out.resize(size);
  return out;
}

} // namespace vlreid
