#include "vlreid/image/decode.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/image/encode.h"

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <optional>

namespace vlreid {
namespace {

std::filesystem::path broken(const std::string& name) {
  return test_data("data/images/broken/" + name);
}

std::optional<Error> load_error(const std::filesystem::path& path, const DecodeLimits& limits = {}) {
  try {
    load_image(path, limits);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

// The picture is refused as bad data, in one line that names the file and these words.
void expect_refused(const std::string& name, const std::vector<std::string>& words) {
  SCOPED_TRACE(name);
  const std::optional<Error> error = load_error(broken(name));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->kind(), ErrorKind::data);
  EXPECT_EQ(error->fault().place, broken(name).string());
  EXPECT_FALSE(error->fault().expected.empty());
  EXPECT_FALSE(error->fault().remedy.empty());
  const std::string message = error->what();
  EXPECT_EQ(message.find('\n'), std::string::npos);
  for (const std::string& word : words)
    EXPECT_NE(message.find(word), std::string::npos) << message;
}

TEST(Decode, PicturesOfEveryFormatEqualPillows) {
  int seen = 0;
  for (const std::string& name : list_files(test_data("data/images/pillow"))) {
    const std::filesystem::path pixels = test_data("data/images/pillow/" + name + ".png");
    if (!std::filesystem::exists(pixels)) continue;
    SCOPED_TRACE(name);
    const Image image = load_image(test_data("data/images/pillow/" + name));
    const Image expected = load_image(pixels);
    ASSERT_EQ(image.height, expected.height);
    ASSERT_EQ(image.width, expected.width);
    int largest = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      largest = std::max(largest, std::abs(image.pixels[i] - expected.pixels[i]));
    EXPECT_LE(largest, name.ends_with(".jpg")
                           ? 2
                           : 0); // as in the golden README: other decoders may round differently
    ++seen;
  }
  EXPECT_EQ(seen, 19);
}

TEST(Decode, CutOffFilesAreRefused) {
  for (const char* name : {"cut.jpg", "cut.png", "cut.webp", "cut.bmp"}) {
    expect_refused(name, {"damaged", "cut off after", "copy or download the file again"});
  }
  expect_refused("header-only.jpg", {"damaged JPEG: cut off after 12 bytes"});
}

TEST(Decode, CutOffFilesAreReadWhenAskedFor) {
  for (const char* name : {"cut.jpg", "cut.png", "cut.bmp"}) {
    SCOPED_TRACE(name);
    const Image image = load_image(broken(name), {.accept_truncated = true});
    EXPECT_EQ(image.height, 61);
    EXPECT_EQ(image.width, 37);
  }
  // Rows that are there are right; those behind the cut are black. A BMP begins at its bottom.
  const Image whole = load_image(test_data("data/images/pillow/top-down.bmp"));
  const Image png = load_image(broken("cut.png"), {.accept_truncated = true});
  EXPECT_TRUE(std::equal(png.row(0), png.row(20), whole.row(0)));
  EXPECT_EQ(png.pixels.back(), 0);
  const Image bmp = load_image(broken("cut.bmp"), {.accept_truncated = true});
  EXPECT_TRUE(std::equal(bmp.row(40), bmp.row(60), whole.row(40)));
  EXPECT_EQ(bmp.pixels.front(), 0);
}

TEST(Decode, EveryPrefixIsRefusedOrDecoded) {
  for (const char* name : {"s420.jpg", "lossy.webp", "interlaced.png", "palette.bmp"}) {
    SCOPED_TRACE(name);
    const std::vector<std::byte> bytes = read_bytes(test_data(std::string("data/images/pillow/") + name));
    for (std::size_t size = 0; size < bytes.size(); size += 7)
      for (const bool accept : {false, true}) {
        try {
          decode_image(std::span(bytes).first(size), name, {.accept_truncated = accept});
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::data);
        }
      }
  }
}

TEST(Decode, FilesThatAreNoPictures) {
  expect_refused("text.jpg", {"text that begins 'This is a note, '", "a JPEG, PNG, WebP or BMP image"});
  expect_refused("page.jpg", {"a web page"});
  expect_refused("empty.jpg", {"0 bytes", "an image file"});
  expect_refused("zeros.png", {"unknown data that begins 00 00 00 00"});
  expect_refused("really-gif.jpg", {"a GIF image"});
}

TEST(Decode, TheNameDoesNotDecide) {
  const TempFolder folder;
  std::filesystem::copy_file(test_data("data/images/pillow/interlaced.png"), folder / "x.jpg");
  EXPECT_EQ(load_image(folder / "x.jpg"), load_image(test_data("data/images/pillow/interlaced.png.png")));
}

TEST(Decode, HugeHeadersAreRefusedBeforeDecoding) {
  expect_refused("huge.jpg", {"65500 x 65500 pixels", "at most 64000000"});
  expect_refused("huge.png", {"40000 x 40000 pixels", "at most 64000000"});
  expect_refused("huge.bmp", {"40000 x 40000 pixels", "at most 64000000"});
  expect_refused("huge.webp", {"16383 x 16383 pixels", "at most 64000000"});
  expect_refused("wide.png", {"2147483647 x 1 pixels", "65535 a side"});
}

TEST(Decode, ProbeReadsHugeHeaders) {
  const ImageInfo info = probe_image(read_bytes(broken("huge.jpg")), "huge.jpg");
  EXPECT_EQ(info.format, ImageFormat::jpeg);
  EXPECT_EQ(info.height, 65500);
  EXPECT_EQ(info.mode, "RGB");
}

TEST(Decode, TooManyScans) {
  expect_refused("scans.jpg", {"more than 100 scans", "ordinary progressive JPEG"});
  EXPECT_FALSE(load_error(broken("scans.jpg"), {.max_scans = 200}).has_value());
}

TEST(Decode, OtherDamage) {
  expect_refused("bit-flipped.png", {"damaged PNG"});
  expect_refused("frames.webp", {"WebP with several frames", "one still image"});
}

TEST(Decode, FileSizeAndMissingFile) {
  const std::optional<Error> large = load_error(broken("cut.bmp"), {.max_file_bytes = 100});
  ASSERT_TRUE(large.has_value());
  EXPECT_EQ(large->kind(), ErrorKind::data);
  EXPECT_EQ(large->fault().expected, "at most 100 bytes");
  const std::optional<Error> missing = load_error("no/such/file.jpg");
  ASSERT_TRUE(missing.has_value());
  EXPECT_EQ(missing->kind(), ErrorKind::missing);
}

// Nothing of one file may leak into the next: tables of a decoder, or pixels of a reused image.
TEST(Decode, ReusedImageGivesTheSame) {
  Image image;
  for (int round = 0; round < 2; ++round)
    for (const char* name : {"s420.jpg", "grey2.png", "alpha.webp", "cmyk.jpg", "palette.bmp"}) {
      const std::filesystem::path path = test_data(std::string("data/images/pillow/") + name);
      load_image_into(path, {}, image);
      EXPECT_EQ(image, load_image(path)) << name;
    }
}

TEST(Encode, PngKeepsEveryPixel) {
  const Image image = load_image(test_data("data/images/pillow/masks.bmp"));
  EXPECT_EQ(decode_image(encode_png(image), "memory"), image);
}

TEST(Encode, JpegIsCloseAndQualityCounts) {
  const Image image = load_image(test_data("data/images/pillow/masks.bmp"));
  const std::vector<std::byte> fine = encode_jpeg(image, 95);
  EXPECT_GT(fine.size(), encode_jpeg(image, 30).size());
  EXPECT_EQ(fine, encode_jpeg(image, 95));
  const Image again = decode_image(fine, "memory");
  double sum = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    sum += std::abs(image.pixels[i] - again.pixels[i]);
  EXPECT_LT(sum / static_cast<double>(image.pixels.size()), 8.0);
}

} // namespace
} // namespace vlreid
