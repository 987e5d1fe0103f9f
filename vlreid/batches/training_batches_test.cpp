#include "vlreid/batches/training_batches.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/batches/image_cache.h"
#include "vlreid/batches/sampler.h"
#include "vlreid/image/decode.h"
#include "vlreid/image/encode.h"

#include "tests/support/temp_folder.h"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

constexpr TrainTransformOptions kSmall{.height = 20, .width = 10, .padding = 3};
constexpr std::size_t kPixels = 3 * 20 * 10;

// Five people with up to six images of random pixels.
class TrainingBatchesTest : public testing::Test {
protected:
  void SetUp() override {
    Random random({4});
    for (int i = 0; i < 25; ++i) {
      Image image = make_image(16 + i % 7, 9);
      for (std::uint8_t& value : image.pixels)
        value = static_cast<std::uint8_t>(random.below(256));
      const std::vector<std::byte> bytes = encode_png(image);
      records_.push_back({.path = (folder_ / fmt::format("{}.png", i)).string(),
                          .identity = i % 5,
                          .camera = i % 3,
                          .view = i % 2});
      write_file(records_.back().path,
                 std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
      labels_.push_back(i % 5);
    }
    sampler_ = samplers().at("identity")(labels_, {.batch_size = 8, .images_per_identity = 2, .seed = 1});
  }

  TrainingBatchesOptions options(int threads = 2, std::size_t cache_bytes = 0) const {
    return {.transform = kSmall, .seed = 1, .threads = threads, .cache_bytes = cache_bytes};
  }

  TempFolder folder_;
  std::vector<Record> records_;
  std::vector<std::int64_t> labels_;
  std::unique_ptr<Sampler> sampler_;
};

struct Seen {
  std::vector<std::vector<std::size_t>> items;
  std::vector<std::vector<float>> images;
  bool operator==(const Seen&) const = default;
};

Seen rest_of(TrainingBatches& batches) {
  Seen seen;
  while (const TrainingBatch* batch = batches.next()) {
    seen.items.push_back(batch->items);
    seen.images.emplace_back(batch->images.begin(), batch->images.end());
  }
  return seen;
}

Seen epoch_of(TrainingBatches& batches, std::uint64_t epoch, std::size_t first = 0) {
  batches.start_epoch(epoch, first);
  return rest_of(batches);
}

TEST_F(TrainingBatchesTest, DoNotDependOnThreadsOrCache) {
  TrainingBatches reference(records_, *sampler_, options(1));
  const Seen first = epoch_of(reference, 1), second = epoch_of(reference, 2);
  EXPECT_NE(first, second);
  EXPECT_EQ(first.items, sampler_->batches(1));
  for (const int threads : {1, 2, 5})
    for (const std::size_t cached : {0, 7, 25}) {
      TrainingBatches batches(records_, *sampler_, options(threads, cached * kPixels));
      EXPECT_EQ(epoch_of(batches, 1), first);
      EXPECT_EQ(epoch_of(batches, 2), second);
      EXPECT_EQ(epoch_of(batches, 1), first);
      EXPECT_LE(batches.cached_images(), cached);
      EXPECT_EQ(batches.cached_images() == 0, cached == 0);
    }
}

TEST_F(TrainingBatchesTest, CarryLabelsInTheOrderOfTheSampler) {
  TrainingBatches batches(records_, *sampler_, options());
  EXPECT_EQ(batches.next(), nullptr);
  batches.start_epoch(3);
  const BatchList expected = sampler_->batches(3);
  EXPECT_EQ(batches.batch_count(), expected.size());
  for (std::size_t number = 0; number < expected.size(); ++number) {
    const TrainingBatch* batch = batches.next();
    ASSERT_NE(batch, nullptr);
    EXPECT_EQ(batch->number, number);
    EXPECT_EQ(batch->items, expected[number]);
    EXPECT_EQ(batch->images.size(), batch->items.size() * kPixels);
    for (std::size_t i = 0; i < batch->items.size(); ++i) {
      EXPECT_EQ(batch->identities[i], records_[batch->items[i]].identity);
      EXPECT_EQ(batch->cameras[i], records_[batch->items[i]].camera);
      EXPECT_EQ(batch->views[i], records_[batch->items[i]].view);
    }
  }
  EXPECT_EQ(batches.next(), nullptr);
  EXPECT_EQ(batches.next(), nullptr);
}

TEST_F(TrainingBatchesTest, ResumeInTheMiddleOfAnEpoch) {
  TrainingBatches batches(records_, *sampler_, options());
  Seen whole = epoch_of(batches, 4);
  TrainingBatches other(records_, *sampler_, options(3));
  other.start_epoch(1); // left in the middle
  EXPECT_NE(other.next(), nullptr);
  const Seen rest = epoch_of(other, 4, 2);
  whole.items.erase(whole.items.begin(), whole.items.begin() + 2);
  whole.images.erase(whole.images.begin(), whole.images.begin() + 2);
  EXPECT_EQ(rest, whole);
  EXPECT_EQ(epoch_of(other, 4, 1000), Seen{});
}

TEST_F(TrainingBatchesTest, ImagesAreTheTransformsOwn) {
  TrainTransformOptions still = kSmall;
  still.flip_probability = still.erasing_probability = 0;
  still.padding = 0;
  TrainTransform transform(still);
  TrainingBatchesOptions chosen = options();
  chosen.transform = still;
  const auto listed = make_listed_sampler({{{3, 3, 1}, {24}}});
  TrainingBatches batches(records_, *listed, chosen);
  const Seen seen = epoch_of(batches, 1);
  ASSERT_EQ(seen.items, (BatchList{{3, 3, 1}, {24}}));
  std::vector<float> expected(kPixels);
  for (std::size_t b = 0; b < seen.items.size(); ++b)
    for (std::size_t i = 0; i < seen.items[b].size(); ++i) {
      transform.run(load_image(records_[seen.items[b][i]].path), {.crop = {.top = 0, .left = 0}}, expected);
      EXPECT_TRUE(std::ranges::equal(expected, std::span(seen.images[b]).subspan(i * kPixels, kPixels)));
    }
}

// The same image twice in a batch (drawn with replacement) is augmented anew.
TEST_F(TrainingBatchesTest, RepeatedImagesDiffer) {
  const auto listed = make_listed_sampler({{{3, 3}}});
  TrainingBatches batches(records_, *listed, options());
  batches.start_epoch(1);
  const std::span<float> images = batches.next()->images;
  EXPECT_FALSE(std::ranges::equal(images.first(kPixels), images.last(kPixels)));
}

TEST_F(TrainingBatchesTest, UnreadableImageIsAnErrorWithItsPath) {
  write_file(records_[7].path, "not an image");
  TrainingBatches batches(records_, *sampler_, options());
  try {
    for (std::uint64_t epoch = 0; epoch < 20; ++epoch)
      epoch_of(batches, epoch);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_EQ(error.fault().place, records_[7].path);
  }
  batches.start_epoch(1);
  EXPECT_THROW(batches.next(), Error);
}

TEST_F(TrainingBatchesTest, BadOptionsAreErrors) {
  TrainingBatchesOptions bad = options();
  bad.transform.padding = -1;
  EXPECT_THROW(TrainingBatches(records_, *sampler_, bad), Error);
}

TEST(ImageCache, KeepsWhatFits) {
  ImageCache cache(3, 12, 30);
  const Image image = make_image(2, 2);
  for (const std::size_t item : {2u, 2u, 0u, 1u})
    cache.keep(item, image);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_NE(cache.find(2), nullptr);
  EXPECT_NE(cache.find(0), nullptr);
  EXPECT_EQ(cache.find(1), nullptr);
}

TEST(ImageCache, KnowsTheFreeMemory) {
  EXPECT_GT(free_memory_bytes(), std::size_t{1} << 20);
}

} // namespace
} // namespace vlreid
