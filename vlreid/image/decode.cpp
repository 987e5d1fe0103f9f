#include "vlreid/image/decode.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/image/codecs.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace vlreid {
namespace {

constexpr std::string_view kRemedy = "copy or download the file again";

struct Codec {
  std::string_view name;
  ImageInfo (*probe)(const Source&);
  void (*decode)(const Source&, const DecodeLimits&, Image&);
};

// In the order of ImageFormat.
constexpr Codec kCodecs[] = {
    {"JPEG", probe_jpeg, decode_jpeg},
    {"PNG", probe_png, decode_png},
    {"WebP", probe_webp, decode_webp},
    {"BMP", probe_bmp, decode_bmp},
};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

const Codec* find_codec(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with("\xff\xd8\xff")) return &kCodecs[0];
  if (text.starts_with("\x89PNG\r\n\x1a\n")) return &kCodecs[1];
  if (text.size() >= 12 && text.starts_with("RIFF") && text.substr(8, 4) == "WEBP") return &kCodecs[2];
  if (text.starts_with("BM")) return &kCodecs[3];
  return nullptr;
}

// What people find under the name of an image.
std::string describe_foreign(std::span<const std::byte> bytes) {
  struct Known {
    std::string_view start, name;
  };
  static constexpr Known kKnown[] = {
      {"GIF8", "a GIF image"},         {"II*", "a TIFF image"},     {"%PDF", "a PDF document"},
      {"PK\x03\x04", "a ZIP archive"}, {"<!DOCTYPE", "a web page"}, {"<html", "a web page"},
      {"<svg", "an SVG drawing"},      {"\x1f\x8b", "gzip data"},
  };
  const std::string_view text = as_text(bytes);
  for (const Known& known : kKnown)
    if (text.starts_with(known.start)) return std::string(known.name);
  const std::string_view start = text.substr(0, 16);
  const bool is_text = std::ranges::all_of(
      start, [](char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t'; });
  if (is_text) return fmt::format("text that begins '{}'", start);
  return fmt::format("unknown data that begins {:02x}",
                     fmt::join(bytes.first(std::min<std::size_t>(bytes.size(), 8)), " "));
}

const Codec& codec_of(const Source& source) {
  const std::string place(source.name);
  VLREID_REQUIRE(!source.bytes.empty(), ErrorKind::data, place, "0 bytes", "an image file",
                 std::string(kRemedy));
  if (const Codec* codec = find_codec(source.bytes)) return *codec;
  fail(ErrorKind::data, {.place = place,
                         .found = describe_foreign(source.bytes),
                         .expected = "a JPEG, PNG, WebP or BMP image",
                         .remedy = "convert the image, or remove the file from the folder or list"});
}

} // namespace

std::string_view format_name(ImageFormat format) {
  return kCodecs[static_cast<int>(format)].name;
}

void prepare_output(const Source& source, int height, int width, const DecodeLimits& limits, Image& out) {
  const std::uint64_t pixels = static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width);
  VLREID_REQUIRE(width <= limits.max_side && height <= limits.max_side && pixels <= limits.max_pixels,
                 ErrorKind::data, std::string(source.name),
                 fmt::format("a header of {} x {} pixels", width, height),
                 fmt::format("at most {} pixels, {} a side", limits.max_pixels, limits.max_side),
                 "shrink the image, or remove the file if its header is damaged");
  out.reshape(height, width);
  if (limits.accept_truncated) std::ranges::fill(out.pixels, std::uint8_t{0});
}

void fail_damaged(const Source& source, ImageFormat format, std::string_view what) {
  fail(ErrorKind::data, {.place = std::string(source.name),
                         .found = fmt::format("damaged {}: {}", format_name(format), what),
                         .expected = fmt::format("a complete {} file", format_name(format)),
                         .remedy = std::string(kRemedy)});
}

void fail_truncated(const Source& source, ImageFormat format) {
  fail_damaged(source, format, fmt::format("cut off after {} bytes", source.bytes.size()));
}

void fail_unsupported(const Source& source, ImageFormat format, std::string_view what,
                      std::string_view expected) {
  fail(ErrorKind::data, {.place = std::string(source.name),
                         .found = fmt::format("{} with {}", format_name(format), what),
                         .expected = std::string(expected),
                         .remedy = "convert the image"});
}

ImageInfo probe_image(std::span<const std::byte> bytes, std::string_view name) {
  const Source source{bytes, name};
  return codec_of(source).probe(source);
}

void decode_image_into(std::span<const std::byte> bytes, std::string_view name, const DecodeLimits& limits,
                       Image& out) {
  const Source source{bytes, name};
  VLREID_REQUIRE(bytes.size() <= limits.max_file_bytes, ErrorKind::data, std::string(name),
                 fmt::format("{} bytes", bytes.size()),
                 fmt::format("at most {} bytes", limits.max_file_bytes), "check that it is the right file");
  codec_of(source).decode(source, limits, out);
}

void load_image_into(const std::filesystem::path& path, const DecodeLimits& limits, Image& out) {
  decode_image_into(read_bytes(path, limits.max_file_bytes), path.string(), limits, out);
}

Image decode_image(std::span<const std::byte> bytes, std::string_view name, const DecodeLimits& limits) {
  Image out;
  decode_image_into(bytes, name, limits, out);
  return out;
}

Image load_image(const std::filesystem::path& path, const DecodeLimits& limits) {
  Image out;
  load_image_into(path, limits, out);
  return out;
}

} // namespace vlreid
