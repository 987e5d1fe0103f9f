// The images of golden/common as Pillow decodes and resizes them.
#include "vlreid/archive/safetensors.h"
#include "vlreid/base/files.h"
#include "vlreid/image/decode.h"
#include "vlreid/image/resize.h"

#include "tests/support/golden.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <numeric>

namespace vlreid {
namespace {

Image image_of(const TensorEntry& entry) {
  Image image = make_image(static_cast<int>(entry.shape.at(0)), static_cast<int>(entry.shape.at(1)));
  std::ranges::copy(values<std::uint8_t>(entry), image.pixels.begin());
  return image;
}

int largest_difference(const Image& a, const Image& b) {
  if (a.height != b.height || a.width != b.width) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

// JPEG decoders may differ by two levels, other formats not at all.
int allowed_difference(const std::string& name) {
  return name.ends_with(".jpg") ? 2 : 0;
}

// A tensor name "crop.bmp/bicubic_256x128" in its parts.
struct ResizeCase {
  std::string image;
  ResizeOptions options;
};

std::vector<std::pair<std::string, ResizeCase>> resize_cases(const SafetensorsFile& golden) {
  std::vector<std::pair<std::string, ResizeCase>> cases;
  for (const TensorEntry& entry : golden.entries()) {
    const std::size_t slash = entry.name.find('/');
    const std::string kind = entry.name.substr(slash + 1);
    const bool is_bicubic = kind.starts_with("bicubic_");
    if (!is_bicubic && !kind.starts_with("bilinear_")) continue;
    cases.push_back({entry.name,
                     {.image = entry.name.substr(0, slash),
                      .options = {.height = static_cast<int>(entry.shape.at(0)),
                                  .width = static_cast<int>(entry.shape.at(1)),
                                  .filter = is_bicubic ? Filter::bicubic : Filter::bilinear}}});
  }
  return cases;
}

class GoldenImages : public testing::Test {
protected:
  void SetUp() override {
    VLREID_GOLDEN(path, "common/preprocess.safetensors");
    golden_ = std::make_unique<SafetensorsFile>(path);
  }
  // Some pictures are left out of a bare clone.
  static bool has(const std::string& name) { return !find_golden("common/images/" + name).empty(); }
  static Image load(const std::string& name) { return load_image(find_golden("common/images/" + name)); }

  std::unique_ptr<SafetensorsFile> golden_;
};

TEST_F(GoldenImages, FactsOfEveryFile) {
  int seen = 0;
  const nlohmann::json all = read_golden_json("common/preprocess.json");
  for (const auto& facts : all.at("images")) {
    const std::string name = facts.at("name");
    SCOPED_TRACE(name);
    if (!has(name)) continue;
    ++seen;
    const ImageInfo info = probe_image(read_bytes(find_golden("common/images/" + name)), name);
    EXPECT_EQ(info.mode, facts.at("pil_mode").get<std::string>());
    EXPECT_EQ(info.height, facts.at("height").get<int>());
    EXPECT_EQ(info.width, facts.at("width").get<int>());
    const Image image = load(name);
    const auto sum = std::accumulate(image.pixels.begin(), image.pixels.end(), std::int64_t{0});
    const auto allowed = static_cast<double>(allowed_difference(name));
    EXPECT_NEAR(static_cast<double>(sum), facts.at("rgb_sum").get<double>(),
                allowed * 1e-2 * static_cast<double>(image.pixels.size()));
    for (std::size_t c = 0; c < 3; ++c)
      EXPECT_NEAR(image.pixels[c], facts.at("first_pixel").at(c).get<int>(), allowed);
  }
  EXPECT_GT(seen, 0);
}

TEST_F(GoldenImages, DecodedPixels) {
  for (const TensorEntry& entry : golden_->entries()) {
    if (!entry.name.ends_with("/decoded")) continue;
    SCOPED_TRACE(entry.name);
    const std::string name = entry.name.substr(0, entry.name.find('/'));
    if (!has(name)) continue;
    EXPECT_LE(largest_difference(load(name), image_of(entry)), allowed_difference(name));
  }
}

TEST_F(GoldenImages, ResizeIsByteEqualFromDecodedPixels) {
  int seen = 0;
  for (const ResizePath path : {ResizePath::automatic, ResizePath::plain}) {
    Resizer resizer(path);
    for (const auto& [tensor, expected] : resize_cases(*golden_)) {
      SCOPED_TRACE(tensor);
      if (!golden_->has(expected.image + "/decoded")) continue;
      Image out;
      resizer.resize(image_of(golden_->at(expected.image + "/decoded")), expected.options, out);
      EXPECT_EQ(out, image_of(golden_->at(tensor)));
      ++seen;
    }
  }
  EXPECT_GT(seen, 0);
}

TEST_F(GoldenImages, ResizeFromFiles) {
  for (const auto& [tensor, expected] : resize_cases(*golden_)) {
    SCOPED_TRACE(tensor);
    if (!has(expected.image)) continue;
    const Image out = resize(load(expected.image), expected.options);
    EXPECT_LE(largest_difference(out, image_of(golden_->at(tensor))), allowed_difference(expected.image));
  }
}

} // namespace
} // namespace vlreid
