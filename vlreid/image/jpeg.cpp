#include "vlreid/image/codecs.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio> // jpeglib.h needs FILE
#include <cstring>
#include <fmt/format.h>
#include <jpeglib.h>
#include <vector>

namespace vlreid {
namespace {

constexpr std::uint8_t kEndOfImage[] = {0xff, JPEG_EOI};

// libjpeg decodes Huffman codes the slow way when less than 512 bytes for each block of an MCU (at most 10)
// are left. Small crops are shorter than that, so the file is read from a copy with this much behind it,
// which begins with an end mark: reading past that mark means that the file is cut off.
constexpr std::size_t kPadding = 512 * 10 + sizeof kEndOfImage;

std::vector<std::uint8_t> make_padded(std::span<const std::byte> bytes) {
  std::vector<std::uint8_t> padded(bytes.size() + kPadding);
  std::memcpy(padded.data(), bytes.data(), bytes.size());
  std::ranges::copy(kEndOfImage, padded.begin() + static_cast<std::ptrdiff_t>(bytes.size()));
  return padded;
}

// libjpeg's state with its callbacks. The library reports an error by calling fail_step, which must not
// return: it jumps back into run(), and only there an exception is thrown. Whatever is alive in a step must
// need no destructor.
class JpegReader {
public:
  JpegReader(const Source& source, const DecodeLimits& limits);
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { jpeg_destroy_decompress(&info_); }

  const jpeg_decompress_struct& read_header();
  void read_pixels(Image& out);

private:
  enum class Problem { none, message, too_many_scans };

  static JpegReader& of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }
  static JpegReader& of(j_decompress_ptr info) { return *static_cast<JpegReader*>(info->client_data); }
  [[noreturn]] void jump(Problem problem);
  [[noreturn]] static void fail_step(j_common_ptr info);
  static boolean refill(j_decompress_ptr info);
  static void skip(j_decompress_ptr info, long count);
  static void check_scans(j_common_ptr info);
  bool has_read_beyond_end() const {
    return is_refilled_ || input_.next_input_byte > padded_.data() + source_.bytes.size();
  }

  template <typename Step>
  void run(Step step);
  [[noreturn]] void raise() const;
  void read_rgb(Image& out);
  void read_cmyk(Image& out);

  const Source& source_;
  const DecodeLimits& limits_;
  std::vector<std::uint8_t> padded_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr input_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  Problem problem_ = Problem::none;
  bool is_refilled_ = false;
};

JpegReader::JpegReader(const Source& source, const DecodeLimits& limits)
    : source_(source), limits_(limits), padded_(make_padded(source.bytes)) {
  info_.err = jpeg_std_error(&errors_);
  errors_.error_exit = fail_step;
  errors_.emit_message = [](j_common_ptr, int) {}; // warnings: decoded as well as it goes, as Pillow does
  info_.client_data = this;
  run([this] { jpeg_create_decompress(&info_); });
  input_.next_input_byte = padded_.data();
  input_.bytes_in_buffer = padded_.size();
  input_.init_source = [](j_decompress_ptr) {};
  input_.fill_input_buffer = refill;
  input_.skip_input_data = skip;
  input_.resync_to_restart = jpeg_resync_to_restart;
  input_.term_source = [](j_decompress_ptr) {};
  info_.src = &input_;
  progress_.progress_monitor = check_scans;
  info_.progress = &progress_;
}

void JpegReader::jump(Problem problem) {
  problem_ = problem;
  std::longjmp(jump_, 1);
}

void JpegReader::fail_step(j_common_ptr info) {
  of(info).jump(Problem::message);
}

// Called when even the padding is used up: the end mark once more, for ever.
boolean JpegReader::refill(j_decompress_ptr info) {
  JpegReader& reader = of(info);
  const std::size_t mark = reader.padded_.size() - kPadding;
  reader.input_.next_input_byte = reader.padded_.data() + mark;
  reader.input_.bytes_in_buffer = kPadding;
  reader.is_refilled_ = true;
  return TRUE;
}

void JpegReader::skip(j_decompress_ptr info, long count) {
  jpeg_source_mgr& input = of(info).input_;
  if (count <= 0) return;
  if (static_cast<std::size_t>(count) > input.bytes_in_buffer) {
    refill(info);
    return;
  }
  input.next_input_byte += count;
  input.bytes_in_buffer -= static_cast<std::size_t>(count);
}

void JpegReader::check_scans(j_common_ptr info) {
  JpegReader& reader = of(info);
  if (reader.info_.input_scan_number > reader.limits_.max_scans) reader.jump(Problem::too_many_scans);
}

template <typename Step>
void JpegReader::run(Step step) {
  if (setjmp(jump_) != 0) raise();
  step();
}

void JpegReader::raise() const {
  if (problem_ == Problem::too_many_scans)
    fail(ErrorKind::data, {.place = std::string(source_.name),
                           .found = fmt::format("JPEG with more than {} scans", limits_.max_scans),
                           .expected = "an ordinary progressive JPEG (about 10 scans)",
                           .remedy = "save the image anew, or remove it"});
  if (has_read_beyond_end()) fail_truncated(source_, ImageFormat::jpeg);
  char text[JMSG_LENGTH_MAX];
  errors_.format_message(reinterpret_cast<j_common_ptr>(const_cast<jpeg_decompress_struct*>(&info_)), text);
  fail_damaged(source_, ImageFormat::jpeg, text);
}

const jpeg_decompress_struct& JpegReader::read_header() {
  run([this] { jpeg_read_header(&info_, TRUE); });
  const int channels = info_.num_components;
  if (channels != 1 && channels != 3 && channels != 4)
    fail_unsupported(source_, ImageFormat::jpeg, fmt::format("{} channels", channels), "1, 3 or 4 channels");
  return info_;
}

void JpegReader::read_pixels(Image& out) {
  const bool is_cmyk = info_.num_components == 4;
  run([this, is_cmyk] {
    info_.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info_);
  });
  if (is_cmyk)
    read_cmyk(out);
  else
    read_rgb(out);
  run([this] { jpeg_finish_decompress(&info_); });
  if (has_read_beyond_end() && !limits_.accept_truncated) fail_truncated(source_, ImageFormat::jpeg);
}

void JpegReader::read_rgb(Image& out) {
  run([this, &out] {
    constexpr int kBatch = 16; // libjpeg hands out a few rows a call
    JSAMPROW rows[kBatch];
    while (info_.output_scanline < info_.output_height) {
      const int first = static_cast<int>(info_.output_scanline);
      const int count = std::min(kBatch, out.height - first);
      for (int i = 0; i < count; ++i)
        rows[i] = out.row(first + i);
      jpeg_read_scanlines(&info_, rows, static_cast<JDIMENSION>(count));
    }
  });
}

// a * b / 255, rounded.
int multiply_bytes(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// Adobe stores inks inverted: 255 is no ink.
void convert_inks(const std::uint8_t* inks, int width, std::uint8_t* out) {
  for (int x = 0; x < width; ++x, inks += 4, out += 3)
    for (int c = 0; c < 3; ++c)
      out[c] = static_cast<std::uint8_t>(inks[3] - multiply_bytes(255 - inks[c], inks[3]));
}

void JpegReader::read_cmyk(Image& out) {
  std::vector<std::uint8_t> inks(static_cast<std::size_t>(out.width) * 4);
  run([this, &out, row = inks.data()]() mutable {
    for (int y = 0; y < out.height; ++y) {
      jpeg_read_scanlines(&info_, &row, 1);
      convert_inks(row, out.width, out.row(y));
    }
  });
}

const char* mode_of(int channels) {
  return channels == 1 ? "L" : channels == 3 ? "RGB" : "CMYK";
}

} // namespace

ImageInfo probe_jpeg(const Source& source) {
  const DecodeLimits limits;
  JpegReader reader(source, limits);
  const jpeg_decompress_struct& header = reader.read_header();
  return {.format = ImageFormat::jpeg,
          .height = static_cast<int>(header.image_height),
          .width = static_cast<int>(header.image_width),
          .mode = mode_of(header.num_components)};
}

void decode_jpeg(const Source& source, const DecodeLimits& limits, Image& out) {
  JpegReader reader(source, limits);
  const jpeg_decompress_struct& header = reader.read_header();
  prepare_output(source, static_cast<int>(header.image_height), static_cast<int>(header.image_width), limits,
                 out);
  reader.read_pixels(out);
}

} // namespace vlreid
