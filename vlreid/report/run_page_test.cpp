#include "vlreid/report/run_page.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/config/config.h"
#include "vlreid/image/encode.h"
#include "vlreid/report/attention_overlay.h"
#include "vlreid/report/chart.h"

#include "tests/support/temp_folder.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

std::string write_picture(const std::filesystem::path& path) {
  const auto bytes = encode_jpeg(make_image(64, 32));
  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return path.string();
}

RunExamples some_examples(const std::string& picture) {
  const RankedQuery query{.image = picture,
                          .caption = "identity 7 <script>",
                          .results = {{picture, 0.25, true, true}, {picture, 0.5, false, false}},
                          .ap = 0.125};
  return {.dataset = "made",
          .queries = {query},
          .hardest = {query, query},
          .attention = {
              {.image = picture, .caption = "a<b", .height = 2, .width = 1, .weights = {0.25f, 0.75f}}}};
}

// A run's folder with every file that it may have.
std::string write_run(const std::filesystem::path& folder, double map, const std::string& options) {
  std::filesystem::create_directories(folder);
  RunLog log(folder / kMetricsFile, {}), timing(folder / kTimingFile, {});
  for (int stage = 1; stage <= 2; ++stage)
    for (int epoch = 1; epoch <= 3; ++epoch) {
      for (int iteration = 1; iteration <= 4; ++iteration)
        log.write(
            {.kind = RecordKind::train,
             .at = {stage, epoch, iteration},
             .values = {
                 {"loss", 3.0 / epoch}, {"accuracy", 0.25}, {"rate", 1e-4}, {"id", 1}, {"triplet", 2}}});
      timing.write(
          {.kind = RecordKind::timing, .at = {stage, epoch, 4}, .values = {{"time", 0.5}, {"data", 0.125}}});
      if (stage == 2)
        log.write({.kind = RecordKind::eval,
                   .at = {stage, epoch},
                   .dataset = "made",
                   .values = {{"mAP", epoch == 2 ? 0.9 : map}, {"rank1", 0.5}}});
    }
  write_file(folder / kConfigFile, to_yaml(load_config_text(options, "test")));
  save_examples(folder / kExamplesFile, some_examples(write_picture(folder / "a.jpg")));
  return folder.string();
}

TEST(RunExamples, ComeBackAsTheyWere) {
  TempFolder folder;
  const RunExamples examples = some_examples((folder / "a.jpg"));
  save_examples(folder / kExamplesFile, examples);
  const RunExamples read = load_examples(folder / kExamplesFile);
  EXPECT_EQ(read.dataset, "made");
  ASSERT_EQ(read.queries.size(), 1u);
  ASSERT_EQ(read.hardest.size(), 2u);
  EXPECT_EQ(read.hardest[1].image, folder / "a.jpg");
  EXPECT_EQ(read.hardest[1].caption, "identity 7 <script>");
  EXPECT_EQ(read.hardest[1].ap, 0.125);
  EXPECT_EQ(read.hardest[1].results[0].distance, 0.25);
  EXPECT_TRUE(read.hardest[1].results[0].is_same_camera);
  EXPECT_FALSE(read.hardest[1].results[1].is_match);
  ASSERT_EQ(read.attention.size(), 1u);
  EXPECT_EQ(read.attention[0].height, 2);
  EXPECT_EQ(read.attention[0].weights, examples.attention[0].weights);
}

TEST(RunExamples, HostileFilesAreRefused) {
  TempFolder folder;
  save_examples(folder / "good", some_examples((folder / "a.jpg")));
  const std::string good = read_text(folder / "good");
  std::vector<std::string> bad{"", "[]", "{}", std::string(100000, '['), good.substr(0, good.size() / 2)};
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"version\":1", "\"version\":2"},
           {"\"ap\":0.125", "\"ap\":1.5"},
           {"\"ap\":0.125", "\"ap\":\"low\""},
           {"\"match\":true", "\"match\":1"},
           {"\"distance\":0.25", "\"distance\":1e999"},
           {"\"distance\":0.25", "\"distance\":null"},
           {"\"height\":2", "\"height\":3"},
           {"\"height\":2", "\"height\":2000000000"},
           {"\"height\":2", "\"height\":-2"},
           {"\"weights\":[0.25", "\"weights\":[-0.25"},
           {"\"caption\":\"a<b\"", "\"caption\":\"" + std::string(10000, 'x') + "\""},
           {"a.jpg", "a\\u0000.jpg"}}) {
    std::string text = good;
    ASSERT_NE(text.find(from), std::string::npos) << from;
    bad.push_back(text.replace(text.find(from), from.size(), to));
  }
  for (const std::string& text : bad) {
    write_file(folder / "bad", text);
    try {
      load_examples(folder / "bad");
      FAIL() << text.substr(0, 200);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_NE(std::string(error.what()).find("bad: "), std::string::npos) << error.what();
    }
  }
}

TEST(RunSummaries, AreReadFromTheFoldersFiles) {
  TempFolder folder;
  const std::vector<std::string> folders{write_run(folder / "a", 0.25, "SOLVER: {SEED: 1}"),
                                         write_run(folder / "b", 0.75, "SOLVER: {SEED: 2}") + "/"};
  const std::vector<RunSummary> runs = load_runs(folders);
  EXPECT_EQ(runs[0].name, "a");
  EXPECT_EQ(runs[1].name, "b");
  const std::vector<RunScores> scores = scores_of(runs);
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_EQ(scores[1].final.value("mAP"), 0.75);
  EXPECT_EQ(scores[1].best.value("mAP"), 0.9);
  EXPECT_EQ(scores[1].best.at.epoch, 2);
  const std::vector<RunSpeed> speeds = speeds_of(runs);
  ASSERT_EQ(speeds.size(), 4u);
  EXPECT_EQ(speeds[0].seconds_per_batch, 0.5);
  EXPECT_EQ(speeds[0].data_share, 0.25);
  const std::vector<OptionDifference> differences = option_differences(runs);
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].key, "SOLVER.SEED");
  EXPECT_EQ(differences[0].values, (std::vector<std::string>{"1", "2"}));
  const std::vector<OptionDifference> own = option_differences({runs.data(), 1});
  ASSERT_EQ(own.size(), 1u);
  EXPECT_NE(own[0].default_value, "1");
}

TEST(RunSummaries, SayWhatIsMissing) {
  TempFolder folder;
  const std::vector<std::string> folders{folder.path().string()};
  try {
    load_runs(folders);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::missing);
  }
  RunLog log(folder / kMetricsFile, {}); // nothing else is needed
  EXPECT_EQ(load_runs(folders).size(), 1u);
  write_file(folder / kConfigFile, "MODEL: [");
  EXPECT_THROW(load_runs(folders), Error);
}

TEST(RunPage, HoldsEverythingAndAsksNobody) {
  TempFolder folder;
  const std::vector<std::string> folders{write_run(folder / "a&<b>", 0.25, "SOLVER: {SEED: 1}")};
  write_run_page(folder / "page.html", load_runs(folders));
  const std::string html = read_text(folder / "page.html");
  EXPECT_TRUE(html.starts_with("<!doctype html>"));
  EXPECT_TRUE(html.ends_with("</html>\n"));
  EXPECT_EQ(count_of(html, "<svg"), 7u); // scores, and loss, accuracy and rate of two stages
  EXPECT_NE(html.find(">triplet</span>"), std::string::npos);
  EXPECT_NE(html.find("<td>25.00</td>"), std::string::npos);
  EXPECT_EQ(count_of(html, "<section class=\"ranked\">"), 3u);
  EXPECT_EQ(count_of(html, "<figure class=\"pair\""), 1u);
  EXPECT_NE(html.find("SOLVER.SEED"), std::string::npos);
  for (const char* outside : {"http", "url(", "@import", "<link", "<script", "<iframe", "<b>", "a<b"})
    EXPECT_EQ(count_of(html, outside), outside == std::string("<b>") ? 3u : 0u) << outside; // <b> of the AP
  EXPECT_EQ(html, run_page(load_runs(folders)));
}

TEST(RunPage, PutsRunsSideBySide) {
  TempFolder folder;
  const std::vector<std::string> folders{write_run(folder / "a", 0.25, "SOLVER: {SEED: 1}"),
                                         write_run(folder / "b", 0.75, "SOLVER: {SEED: 2}")};
  const std::string html = run_page(load_runs(folders));
  EXPECT_EQ(count_of(html, "<svg"), 8u); // mAP and Rank-1 apart
  EXPECT_NE(html.find("Options in which the runs differ"), std::string::npos);
  EXPECT_NE(html.find("<tr><td>SOLVER.SEED</td><td>1</td><td>2</td></tr>"), std::string::npos);
  EXPECT_NE(html.find("Hardest queries: b"), std::string::npos);
  EXPECT_EQ(scores_table(load_runs(folders)).rows.size(), 2u);
}

TEST(Charts, LeaveGapsForWhatIsNotFinite) {
  const Chart chart{.title = "t", .series = {{"a", {{0, 1}, {1, std::nan("")}, {2, 3}, {3, 4}}}}};
  const std::string html = chart_html(chart);
  EXPECT_EQ(count_of(html, "nan"), 0u);
  const std::size_t line = html.find("class=\"line\" d=\"") + 16;
  EXPECT_EQ(count_of(html.substr(line, html.find('"', line) - line), "M"), 2u);
  EXPECT_EQ(chart_html({.title = "t", .series = {{"a", {{0, std::nan("")}}}}}), "");
  EXPECT_EQ(chart_html({.title = "t"}), "");
}

TEST(Charts, DrawAnyNumbers) {
  for (const double value : {0.0, 1.0, -5.0, 5e-324, 1e-300, 1e300, -1e300}) {
    const std::string html = chart_html({.title = "t", .series = {{"a", {{1, value}, {2, value}}}}});
    EXPECT_EQ(count_of(html, "nan") + count_of(html, "inf"), 0u) << value << html;
    EXPECT_LT(html.size(), 4000u);
  }
  const std::string html =
      chart_html({.title = "t", .series = {{"a", {{1, -1e308}, {2, 1e300}, {3, -1e300}, {2147483647, 0}}}}});
  EXPECT_LT(html.size(), 4000u);
}

TEST(Charts, ThinLongSeries) {
  Series series{.name = "a", .points = {}};
  for (int i = 0; i < 100000; ++i)
    series.points.push_back({i * 1e-3, std::sin(i * 1e-3)});
  EXPECT_LT(chart_html({.title = "t", .series = {series}}).size(), 8000u);
}

TEST(AttentionOverlay, GlowsWhereTheMapIsHigh) {
  const Image crop = make_image(40, 20);
  const Image drawn = attention_overlay(crop, {.height = 2, .width = 1, .weights = {0.f, 1.f}});
  ASSERT_EQ(drawn.height, 40);
  ASSERT_EQ(drawn.width, 20);
  EXPECT_LT(drawn.row(0)[0], 20);                                                              // night
  EXPECT_GT(drawn.row(39)[0], 150);                                                            // pale yellow
  EXPECT_EQ(attention_overlay(crop, {.height = 1, .width = 1, .weights = {0.5f}}).height, 40); // no range
}

} // namespace
} // namespace vlreid
