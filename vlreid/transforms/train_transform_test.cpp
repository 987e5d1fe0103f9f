#include "vlreid/transforms/train_transform.h"

#include "vlreid/archive/safetensors.h"
#include "vlreid/base/error.h"

#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace vlreid {
namespace {
using Json = nlohmann::json;

Image random_image(int height, int width) {
  Random random({3});
  Image image = make_image(height, width);
  for (std::uint8_t& value : image.pixels)
    value = static_cast<std::uint8_t>(random.below(256));
  return image;
}

Image image_of(const TensorEntry& entry) {
  Image image = make_image(static_cast<int>(entry.shape.at(0)), static_cast<int>(entry.shape.at(1)));
  std::ranges::copy(values<std::uint8_t>(entry), image.pixels.begin());
  return image;
}

std::vector<float> run(TrainTransform& transform, auto&& work) {
  std::vector<float> out(transform.size(), -100.0f);
  work(transform, std::span<float>(out));
  return out;
}

// What `work` makes of an image, normalised.
std::vector<float> run(TestTransform& transform, auto&& work) {
  std::vector<std::uint8_t> bytes(transform.size());
  work(transform, std::span<std::uint8_t>(bytes));
  std::vector<float> out(transform.size());
  transform.normalise(bytes, out);
  return out;
}

// One case of golden/datasets/augment, through the class that the program uses for it.
struct Case {
  const Json& json;
  const SafetensorsFile& tensors;

  std::string name() const { return json.at("name"); }
  bool is_resized() const { return json.at("input_size") != json.at("output_size"); }
  bool is_training() const { return json.at("erase").is_object() || json.at("pad_top_bottom") == 10; }

  template <typename Options>
  Options options() const {
    Options made;
    made.height = json.at("output_size").at(0);
    made.width = json.at("output_size").at(1);
    made.mean = json.at("mean").get<std::array<float, 3>>();
    made.std = json.at("std").get<std::array<float, 3>>();
    return made;
  }

  CropOffset crop() const {
    return {.top = json.at("crop_top_left").at(0), .left = json.at("crop_top_left").at(1)};
  }

  std::vector<float> augmented(const Image& image) const {
    TrainTransform transform(options<TrainTransformOptions>());
    Augmentation choices{.flip = json.at("flip"), .crop = crop()};
    std::span<const float> noise;
    if (const Json& e = json.at("erase"); e.is_object()) {
      choices.erase = Rectangle{
          .top = e.at("top"), .left = e.at("left"), .height = e.at("height"), .width = e.at("width")};
      noise = values<float>(tensors.at(name() + "/noise"));
    }
    return run(transform, [&](auto& t, auto out) { t.run(image, choices, noise, out); });
  }

  std::vector<float> tested(const Image& image) const {
    auto made = options<TestTransformOptions>();
    const std::string transform_name = json.at("transform");
    if (transform_name.ends_with("bicubic")) made.filter = Filter::bicubic;
    TestTransform transform(made);
    return run(transform, [&](auto& t, auto out) {
      json.at("flip").get<bool>() ? t.second_view(image, crop(), out) : t.plain(image, out);
    });
  }

  void check(const char* input) const {
    const Image image = image_of(tensors.at(name() + "/" + input));
    const std::vector<float> out = is_training() ? augmented(image) : tested(image);
    const auto expected = values<float>(tensors.at(name() + "/output"));
    ASSERT_EQ(out.size(), expected.size());
    for (std::size_t i = 0; i < out.size(); ++i)
      ASSERT_NEAR(out[i], expected[i], 1e-6) << i;
  }
};

TEST(Augmentation, GoldenCases) {
  VLREID_GOLDEN(path, "datasets/augment.json");
  VLREID_GOLDEN(tensor_path, "datasets/augment.safetensors");
  const SafetensorsFile tensors(tensor_path);
  const Json json = read_golden_json("datasets/augment.json");
  int seen = 0;
  for (const Json& entry : json.at("cases")) {
    const Case golden{entry, tensors};
    SCOPED_TRACE(golden.name());
    golden.check("input_u8");
    if (golden.is_resized()) golden.check("resized_u8");
    ++seen;
  }
  EXPECT_EQ(seen, 13);
}

TEST(DrawErase, GoldenRectangles) {
  VLREID_GOLDEN(path, "datasets/augment.json");
  const Json json = read_golden_json("datasets/augment.json");
  for (const Json& row : json.at("erase_parameters").at("rows")) {
    SCOPED_TRACE(row.dump());
    const auto draws = row.at("draws").get<std::vector<double>>();
    std::size_t used = 0;
    const auto part =
        draw_erase(row.at("image").at(0), row.at("image").at(1), 0.5, [&] { return draws.at(used++); });
    EXPECT_EQ(used, draws.size());
    const Json& expected = row.at("rectangle_top_left_height_width");
    ASSERT_EQ(part.has_value(), !expected.is_null());
    if (!part) continue;
    EXPECT_EQ((std::vector<int>{part->top, part->left, part->height, part->width}),
              expected.get<std::vector<int>>());
  }
}

// Within four standard errors of 20000 draws of the reference.
TEST(DrawAugmentation, HasTheDistributionOfTheReference) {
  const TrainTransformOptions options;
  Random random({5});
  constexpr int kDraws = 20000;
  int flips = 0, erased = 0;
  double area = 0, log_aspect = 0;
  std::set<int> tops, lefts;
  std::set<std::uint64_t> keys;
  for (int i = 0; i < kDraws; ++i) {
    const Augmentation drawn = draw_augmentation(options, random);
    flips += drawn.flip;
    tops.insert(drawn.crop.top);
    lefts.insert(drawn.crop.left);
    keys.insert(drawn.noise_key);
    if (!drawn.erase) continue;
    ++erased;
    area += drawn.erase->height * drawn.erase->width / (256.0 * 128.0);
    log_aspect += std::log(static_cast<double>(drawn.erase->height) / drawn.erase->width);
  }
  EXPECT_NEAR(flips, kDraws / 2, 4 * 71);
  EXPECT_NEAR(erased / double{kDraws}, 0.49675, 0.02);
  EXPECT_NEAR(area / erased, 0.16405, 0.006);
  EXPECT_NEAR(log_aspect / erased, 0.10465, 0.04);
  EXPECT_EQ(tops.size(), 21u);
  EXPECT_EQ(lefts.size(), 21u);
  EXPECT_EQ(*lefts.rbegin(), 20);
  EXPECT_EQ(keys.size(), std::size_t{kDraws});
}

TEST(TrainTransform, EqualsTheStepsOneByOne) {
  const TrainTransformOptions options{
      .height = 50, .width = 30, .mean = kImageNetPixels.mean, .std = kImageNetPixels.std, .padding = 7};
  const Image image = random_image(41, 33);
  TrainTransform transform(options);
  TestTransform plain({.height = 50, .width = 30, .mean = options.mean, .std = options.std});
  Random random({1});
  for (int i = 0; i < 100; ++i) {
    Augmentation drawn = draw_augmentation(options, random);
    drawn.erase.reset();
    Image expected = resize(image, {.height = 50, .width = 30, .filter = Filter::bicubic});
    if (drawn.flip) flip_in_place(expected);
    expected = crop(pad(expected, {.top = 7, .bottom = 7, .left = 7, .right = 7}),
                    {.top = drawn.crop.top, .left = drawn.crop.left, .height = 50, .width = 30});
    EXPECT_EQ(run(transform, [&](auto& t, auto out) { t.run(image, drawn, out); }),
              run(plain, [&](auto& t, auto out) { t.plain(expected, out); }));
  }
}

TEST(TrainTransform, ResizedImageGivesTheSame) {
  const TrainTransformOptions options{.erasing_probability = 1};
  const Image image = random_image(90, 40);
  TrainTransform transform(options);
  Image resized;
  transform.resize(image, resized);
  Random random({2});
  for (int i = 0; i < 10; ++i) {
    const Augmentation drawn = draw_augmentation(options, random);
    EXPECT_EQ(run(transform, [&](auto& t, auto out) { t.run(image, drawn, out); }),
              run(transform, [&](auto& t, auto out) { t.run(resized, drawn, out); }));
  }
}

// The image may be shifted out of sight altogether.
TEST(TrainTransform, PaddingWiderThanTheImage) {
  TrainTransform transform({.height = 8, .width = 4, .padding = 20});
  const Image image = random_image(8, 4);
  for (const CropOffset corner : {CropOffset{0, 0}, CropOffset{40, 20}, CropOffset{20, 40}}) {
    const auto out =
        run(transform, [&](auto& t, auto o) { t.run(image, {.flip = true, .crop = corner}, o); });
    EXPECT_TRUE(std::ranges::all_of(out, [](float x) { return x == -1.0f; }));
  }
}

TEST(TrainTransform, BadOptionsAreConfigurationErrors) {
  for (const TrainTransformOptions& options :
       {TrainTransformOptions{.height = 0}, TrainTransformOptions{.std = {0.5f, 0.0f, 0.5f}},
        TrainTransformOptions{.flip_probability = 1.5}, TrainTransformOptions{.padding = -1},
        TrainTransformOptions{.erasing_probability = -0.1}}) {
    try {
      TrainTransform transform(options);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      EXPECT_FALSE(error.fault().remedy.empty());
    }
  }
}

} // namespace
} // namespace vlreid
