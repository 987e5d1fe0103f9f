// The doctor: each rule on a set made to break it, and the real crops beside the checkout.
#include "vlreid/datasets/doctor.h"

#include "tests/support/golden.h"
#include "tests/support/temp_folder.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

namespace vlreid {
namespace {
namespace fs = std::filesystem;

// A grey BMP: the smallest file format that one can write by hand.
std::string bmp(int width, int height, int grey) {
  const int row = (width * 3 + 3) / 4 * 4;
  std::string bytes = "BM";
  const auto put = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i)
      bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  };
  put(54 + static_cast<std::uint32_t>(row * height), 4);
  put(0, 4);
  put(54, 4);
  put(40, 4);
  put(static_cast<std::uint32_t>(width), 4);
  put(static_cast<std::uint32_t>(height), 4);
  put(1, 2);
  put(24, 2);
  for (int i = 0; i < 6; ++i)
    put(0, 4);
  return bytes + std::string(static_cast<std::size_t>(row * height), static_cast<char>(grey));
}

class Doctor : public testing::Test {
protected:
  void write(const std::string& name, const std::string& bytes) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  // A sound little set in Market layout.
  void write_sound() {
    int grey = 1;
    for (const char* name : {"bounding_box_train/0001_c1s1_0_0.jpg", "bounding_box_train/0001_c2s1_0_0.jpg",
                             "query/0002_c1s1_0_0.jpg", "bounding_box_test/0002_c1s1_1_0.jpg",
                             "bounding_box_test/0002_c2s1_0_0.jpg"})
      write(name, bmp(32, 64, grey++));
  }
  Report check() { return check_dataset("market1501", folder_.path()); }
  static const Finding* find(const Report& report, const std::string& rule) {
    for (const Finding& finding : report.findings)
      if (finding.rule == rule) return &finding;
    return nullptr;
  }
  void expect(const Report& report, const std::string& rule, Severity severity, std::int64_t count) {
    const Finding* finding = find(report, rule);
    ASSERT_NE(finding, nullptr) << rule << "\n" << render_text(report);
    EXPECT_EQ(finding->severity, severity) << rule;
    EXPECT_EQ(finding->count, count) << rule;
    EXPECT_LE(finding->examples.size(), 3U);
    EXPECT_FALSE(finding->remedy.empty() || finding->text.empty());
  }
  TempFolder folder_;
};

TEST_F(Doctor, ASoundSetHasNoFindings) {
  write_sound();
  const Report report = check();
  EXPECT_TRUE(report.findings.empty()) << render_text(report);
  EXPECT_TRUE(report.is_sound());
  EXPECT_EQ(report.images_decoded, 5);
}

TEST_F(Doctor, QueriesWithoutMatches) {
  write_sound();
  for (int i = 3; i < 8; ++i)
    write("query/000" + std::to_string(i) + "_c1s1_0_0.jpg", bmp(32, 64, 20 + i));
  write("bounding_box_test/0003_c1s1_0_0.jpg", bmp(32, 64, 40));
  const Report report = check();
  expect(report, "query-without-match", Severity::warning, 4);
  expect(report, "same-camera-only", Severity::warning, 1);
  fs::remove(folder_ / "query/0002_c1s1_0_0.jpg");
  expect(check(), "query-without-match", Severity::error, 4);
}

TEST_F(Doctor, BrokenAndOddImages) {
  write_sound();
  write("query/0002_c3s1_0_0.jpg", "this is no image");
  write("query/0002_c4s1_0_0.jpg", "");
  write("query/0002_c5s1_0_0.jpg", bmp(32, 64, 60).substr(0, 3000));
  write("query/0002_c6s1_0_0.jpg", bmp(8, 64, 61));
  write("query/0002_c6s1_1_0.JPG", "x");
  write("query/0002_c6s1_1_0.png", "x");
  const Report report = check();
  expect(report, "unreadable-image", Severity::error, 2);
  expect(report, "truncated-image", Severity::warning, 1);
  expect(report, "tiny-image", Severity::warning, 1);
  expect(report, "skipped-extension", Severity::warning, 2);
  EXPECT_EQ(report.findings[0].severity, Severity::error) << "errors first";
}

TEST_F(Doctor, Duplicates) {
  write_sound();
  write("query/0002_c3s1_0_0.jpg", bmp(32, 64, 1));             // as the first training image
  write("bounding_box_test/0002_c3s1_0_0.jpg", bmp(32, 64, 3)); // as the query
  write("bounding_box_test/0002_c4s1_0_0.jpg", bmp(32, 64, 5)); // as another gallery image
  const Report report = check();
  expect(report, "duplicate-train-test", Severity::error, 1);
  expect(report, "duplicate-query-gallery", Severity::warning, 1);
  expect(report, "duplicate-in-subset", Severity::warning, 1);
}

TEST_F(Doctor, NumbersAndNames) {
  write_sound();
  write("bounding_box_train/0002_c1s1_0_0.jpg", bmp(32, 64, 70)); // also a test identity, one image
  write("bounding_box_train/0003_c5s1_0_0.jpg", bmp(32, 64, 71));
  write("bounding_box_train/0003_c5s1_1_0.jpg", bmp(32, 64, 72));
  for (int i = 0; i < 5; ++i)
    write("query/0002_c7s1_" + std::to_string(i) + "_0.jpg", "");
  write("query/1502_c1s1_0_0.jpg", "");
  write("query/holiday.jpg", "");
  write("bounding_box_test/-1_c1s1_0_0.jpg", "");
  const Report report = check();
  expect(report, "identity-overlap", Severity::error, 1);
  expect(report, "single-image-identity", Severity::warning, 1);
  expect(report, "single-camera-identity", Severity::note, 1);
  expect(report, "camera-range", Severity::error, 5);
  expect(report, "camera-gap", Severity::note, 2);
  expect(report, "identity-range", Severity::error, 1);
  expect(report, "name", Severity::error, 1);
  expect(report, "junk", Severity::note, 1);
}

TEST_F(Doctor, LayoutAndEmptySubsets) {
  expect(check(), "layout", Severity::error, 1);
  write("bounding_box_train/0001_c1s1_0_0.jpg", bmp(32, 64, 1));
  const Report report = check();
  expect(report, "layout", Severity::error, 2);
  expect(report, "empty-subset", Severity::error, 2);
  EXPECT_NE(find(report, "layout")->examples[0].find("query"), std::string::npos);
  expect(check_dataset("auto", folder_ / "nowhere"), "layout", Severity::error, 1);
}

Subset many(std::int64_t identities, std::int64_t images) {
  Subset subset;
  for (std::int64_t i = 0; i < images; ++i)
    subset.push_back({.path = std::to_string(i),
                      .identity = i % identities,
                      .camera = static_cast<int>(i % 6),
                      .view = 0});
  return subset;
}

TEST_F(Doctor, PublishedCounts) {
  Dataset set{
      .name = "market1501", .train = many(751, 12936), .query = many(750, 3368), .gallery = many(751, 15913)};
  EXPECT_EQ(find(diagnose(set, {.decode_images = false}), "published-counts"), nullptr);
  set.gallery.pop_back();
  expect(diagnose(set, {.decode_images = false}), "published-counts", Severity::warning, 1);
}

TEST_F(Doctor, PublishedCountsOfVeRiIncludeWhatTheViewListsLeaveOut) {
  Dataset set{
      .name = "veri", .train = many(576, 37770), .query = many(200, 1678), .gallery = many(200, 11578)};
  set.left_out = {8, 0, 1};
  EXPECT_EQ(find(diagnose(set, {.decode_images = false}), "published-counts"), nullptr);
  set.left_out = {8, 0, 0};
  expect(diagnose(set, {.decode_images = false}), "published-counts", Severity::warning, 1);
}

TEST_F(Doctor, ListsWithoutCamerasAndRepeatedPaths) {
  write("a.jpg", bmp(32, 64, 1));
  write("b.jpg", bmp(32, 64, 2));
  write("l.csv", "path,identity,split\na.jpg,1,query\na.jpg,1,gallery\nb.jpg,2,query\nb.jpg,2,gallery\nb.jpg,"
                 "2,gallery\n");
  const Report report = check_dataset("auto", folder_ / "l.csv");
  expect(report, "same-camera-only", Severity::warning, 1);
  expect(report, "repeated-path", Severity::warning, 1);
  EXPECT_EQ(find(report, "duplicate-query-gallery"), nullptr) << "the same file is no duplicate";
}

TEST_F(Doctor, JsonAndTextCarryTheFindings) {
  write_sound();
  write("query/0009_c1s1_0_0.jpg", "no image");
  const Report report = check();
  const nlohmann::json json = render_json(report);
  EXPECT_FALSE(json["is_sound"]);
  EXPECT_EQ(json["query"]["images"], 2);
  EXPECT_EQ(json["findings"][0]["rule"], "unreadable-image");
  EXPECT_NE(render_text(report).find("error: unreadable-image"), std::string::npos);
}

TEST_F(Doctor, RealCrops) {
  const fs::path root = find_shared_data("pets09-reid");
  if (root.empty()) GTEST_SKIP() << "no data sets beside the checkout";
  const Dataset set = open_dataset("auto", root);
  EXPECT_EQ(set.name, "market1501");
  EXPECT_EQ(counts(set.train).images, 762);
  EXPECT_EQ(counts(set.train).identities, 5);
  EXPECT_EQ(counts(set.query).images, 63);
  EXPECT_EQ(counts(set.query).identities, 4);
  EXPECT_EQ(counts(set.gallery).images, 731);
  EXPECT_EQ(counts(set.gallery).identities, 5);
  const Report report = diagnose(set);
  EXPECT_EQ(report.images_decoded, 1556);
  EXPECT_TRUE(report.is_sound()) << render_text(report);
  EXPECT_EQ(diagnose(set, {.sample_images = 100}).images_decoded, 100);
}

} // namespace
} // namespace vlreid
