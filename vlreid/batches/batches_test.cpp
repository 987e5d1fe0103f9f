#include "vlreid/batches/image_batches.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/image/encode.h"
#include "vlreid/image/image.h"

#include "tests/support/temp_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

constexpr std::size_t kPixels = 3;
constexpr std::size_t kPerView = 100; // more than there are files

// `count` PNG files of one pixel, whose red value is the number of the file; the numbers in `broken` hold no
// image.
std::vector<std::string> make_files(const TempFolder& folder, std::size_t count,
                                    const std::vector<std::size_t>& broken = {}) {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < count; ++i) {
    Image image = make_image(1, 1);
    image.pixels[0] = static_cast<std::uint8_t>(i);
    const std::vector<std::byte> bytes = encode_png(image);
    paths.push_back((folder / fmt::format("{:03}.png", i)).string());
    write_file(paths.back(), std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  for (const std::size_t i : broken)
    write_file(paths[i], "not an image");
  return paths;
}

void write_red(const Image& image, std::size_t, std::size_t view, int, std::span<std::uint8_t> out) {
  out[0] = static_cast<std::uint8_t>(image.pixels[0] + kPerView * view);
}

struct Seen {
  std::vector<std::size_t> items, unreadable;
};

Seen read_all(ImageBatches& batches, std::size_t views) {
  Seen seen;
  while (const ImageBatch* batch = batches.next()) {
    EXPECT_EQ(batch->views.size(), views);
    for (std::size_t view = 0; view < views; ++view) {
      EXPECT_EQ(batch->views[view].size(), batch->items.size() * kPixels);
      for (std::size_t i = 0; i < batch->items.size(); ++i)
        EXPECT_EQ(batch->views[view][i * kPixels], batch->items[i] + kPerView * view);
    }
    seen.items.insert(seen.items.end(), batch->items.begin(), batch->items.end());
    for (const UnreadableImage& image : batch->unreadable)
      seen.unreadable.push_back(image.item);
  }
  return seen;
}

TEST(ImageBatches, GiveEveryImageOnceInOrder) {
  const TempFolder folder;
  const auto paths = make_files(folder, 50);
  for (const int threads : {1, 4}) {
    ImageBatches batches(paths, write_red,
                         {.batch_size = 8, .threads = threads, .first = 5, .views = 2, .pixels = kPixels});
    const Seen seen = read_all(batches, 2);
    ASSERT_EQ(seen.items.size(), 45u);
    for (std::size_t i = 0; i < seen.items.size(); ++i)
      EXPECT_EQ(seen.items[i], i + 5);
  }
}

TEST(ImageBatches, LeaveOutWhatCannotBeRead) {
  const TempFolder folder;
  const auto paths = make_files(folder, 20, {0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 19});
  ImageBatches batches(paths, write_red, {.batch_size = 4, .threads = 3, .pixels = kPixels});
  const Seen seen = read_all(batches, 1);
  EXPECT_EQ(seen.items, (std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 16, 17, 18}));
  EXPECT_EQ(seen.unreadable, (std::vector<std::size_t>{0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 19}));
}

TEST(ImageBatches, CarryOtherErrorsToTheConsumer) {
  const TempFolder folder;
  const auto paths = make_files(folder, 3);
  ImageBatches batches(paths, [](auto&&...) { fail(ErrorKind::config, {.place = "x", .found = "y"}); },
                       {.batch_size = 2, .pixels = kPixels});
  EXPECT_THROW(batches.next(), Error);
}

TEST(ImageBatches, CanBeLeftInTheMiddle) {
  const TempFolder folder;
  const auto paths = make_files(folder, 40);
  ImageBatches batches(paths, write_red, {.batch_size = 4, .threads = 2, .pixels = kPixels});
  EXPECT_NE(batches.next(), nullptr);
}

TEST(ImageBatches, EmptyListHasNoBatch) {
  ImageBatches batches({}, write_red, {.pixels = kPixels});
  EXPECT_EQ(batches.next(), nullptr);
}

} // namespace
} // namespace vlreid
