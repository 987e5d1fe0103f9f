#include "vlreid/eval/scores.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/eval/labelled_features.h"
#include "vlreid/eval/ranked_lists.h"

#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

// Features on a circle: query at 0 degrees; gallery by growing angle: a wrong one, a match, another wrong
// one.
LabelledFeatures one_query() {
  LabelledFeatures features{.dims = 2, .query = {}, .gallery = {}, .trials = {}};
  features.query = {.values = {1, 0}, .identities = {7}, .cameras = {0}, .items = {}, .paths = {"q.jpg"}};
  features.gallery = {.values = {0.99f, 0.1f, 0.9f, 0.3f, 0, 1},
                      .identities = {8, 7, 9},
                      .cameras = {1, 1, 1},
                      .items = {},
                      .paths = {"a.jpg", "b.jpg", "c.jpg"}};
  return features;
}

TEST(Scores, OneQueryByHand) {
  const Scores scores = score(one_query(), {});
  EXPECT_DOUBLE_EQ(scores.plain.mean_average_precision, 0.5); // the only match at rank 2
  EXPECT_DOUBLE_EQ(scores.plain.mean_inverse_negative_penalty, 0.5);
  EXPECT_EQ(log_lines(scores.plain, AveragePrecision::plain),
            (std::vector<std::string>{"mAP: 50.0%", "CMC curve, Rank-1  :0.0%", "CMC curve, Rank-5  :100.0%",
                                      "CMC curve, Rank-10 :100.0%"}));
  EXPECT_EQ(to_json(scores, AveragePrecision::plain)["CMC"].size(), 50u);
}

TEST(Scores, SameCameraDoesNotCount) {
  LabelledFeatures features = one_query();
  features.gallery.cameras[1] = 0;
  const Scores scores = score(features, {});
  EXPECT_EQ(scores.plain.counted_queries, 0);
  EXPECT_EQ(scores.plain.skipped_queries, 1);
}

TEST(Scores, WithoutCamerasOnlyTheQueryImageIsLeftOut) {
  Dataset dataset;
  dataset.has_cameras = false;
  dataset.query = {{"x/b.jpg", 7, 0, 0}};
  dataset.gallery = {{"x/a.jpg", 8, 0, 0}, {"x/b.jpg", 7, 0, 0}, {"x/c.jpg", 7, 0, 0}};
  LabelledFeatures features = label_evaluation_lists(dataset);
  features.dims = 2;
  features.query.values = {1, 0};
  features.gallery.values = {0.99f, 0.1f, 1, 0, 0, 1};
  const Scores scores = score(features, {});
  EXPECT_EQ(scores.plain.counted_queries, 1);
  EXPECT_DOUBLE_EQ(scores.plain.mean_average_precision,
                   0.5); // c.jpg at rank 2 behind a.jpg; b.jpg itself is left out
}

TEST(Scores, TrialsAreAveraged) {
  LabelledFeatures features = one_query();
  features.trials = {{.query = {0}, .gallery = {1, 2, 3}},
                     {.query = {0}, .gallery = {2, 3}}}; // without the wrong one: rank 1
  const Scores scores = score(features, {});
  EXPECT_EQ(scores.trials, 2u);
  EXPECT_DOUBLE_EQ(scores.plain.mean_average_precision, 0.75);
  EXPECT_DOUBLE_EQ(scores.plain.cmc[0], 0.5);
}

TEST(Features, RoundTrip) {
  const TempFolder folder;
  const LabelledFeatures written = one_query();
  save_features(folder / "f.safetensors", written);
  const LabelledFeatures read = load_features(folder / "f.safetensors");
  EXPECT_EQ(read.dims, 2);
  EXPECT_EQ(read.query.values, written.query.values);
  EXPECT_EQ(read.gallery.identities, written.gallery.identities);
  EXPECT_EQ(read.gallery.cameras, written.gallery.cameras);
  EXPECT_EQ(read.gallery.paths, written.gallery.paths);
}

TEST(Features, RoundTripWithoutCameras) {
  const TempFolder folder;
  LabelledFeatures written = one_query();
  written.query.cameras = {};
  written.gallery.cameras = {};
  written.gallery.paths[1] = "q.jpg";
  save_features(folder / "f.safetensors", written);
  const LabelledFeatures read = load_features(folder / "f.safetensors");
  EXPECT_TRUE(read.query.cameras.empty());
  EXPECT_EQ(read.query.items[0], read.gallery.items[1]);
  EXPECT_NE(read.query.items[0], read.gallery.items[0]);
}

TEST(RankedLists, ShowEveryScoredQuery) {
  const TempFolder folder;
  const Scores scores = score(one_query(), {.list_length = kPageListLength});
  write_ranked_lists(folder / "p.html", one_query(), scores, {.title = "one <query>", .note = "a note"});
  const std::string page = read_text(folder / "p.html");
  EXPECT_NE(page.find("one &lt;query&gt;"), std::string::npos);
  EXPECT_NE(page.find("a note"), std::string::npos);
  EXPECT_NE(page.find("c.jpg"), std::string::npos);
}

TEST(RankedLists, NeedPaths) {
  const TempFolder folder;
  LabelledFeatures features = one_query();
  features.gallery.paths.clear();
  EXPECT_THROW(
      write_ranked_lists(folder / "p.html", features, score(features, {.list_length = 10}), {.title = "x"}),
      Error);
}

} // namespace
} // namespace vlreid
