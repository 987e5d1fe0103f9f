#include "vlreid/report/ranked_page.h"

#include "vlreid/base/files.h"
#include "vlreid/image/decode.h"
#include "vlreid/image/encode.h"

#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

namespace vlreid {
namespace {

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

std::filesystem::path write_picture(const TempFolder& folder, const std::string& name, int height,
                                    int width) {
  const auto bytes = encode_jpeg(make_image(height, width));
  write_file(folder / name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return folder / name;
}

TEST(EscapeHtml, LeavesNothingThatABrowserWouldRun) {
  EXPECT_EQ(escape_html("<b a=\"x\" c='y'>&"), "&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;");
  EXPECT_EQ(escape_html(std::string("a\0b\x1b", 4)), "a?b?");
  EXPECT_EQ(escape_html("größe\n"), "größe\n");
}

TEST(Base64, PadsAsTheStandardSays) {
  const auto encode = [](std::string_view text) {
    std::vector<std::byte> bytes;
    for (const char c : text)
      bytes.push_back(static_cast<std::byte>(c));
    return encode_base64(bytes);
  };
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode("\xff\xfe\xfd"), "//79");
}

TEST(Thumbnails, AreSmallAndMissingOnesNothing) {
  TempFolder folder;
  const auto large = thumbnail_uri(write_picture(folder, "large.jpg", 900, 450));
  ASSERT_TRUE(large);
  EXPECT_TRUE(large->starts_with("data:image/jpeg;base64,"));
  EXPECT_LT(large->size(), 8000u);
  write_file(folder / "text.jpg", "not a picture");
  EXPECT_FALSE(thumbnail_uri(folder / "text.jpg"));
  EXPECT_FALSE(thumbnail_uri(folder / "missing.jpg"));
}

TEST(RankedPage, FramesHitsMissesAndJunk) {
  TempFolder folder;
  const auto picture = write_picture(folder, "a.jpg", 128, 64);
  const std::vector<RankedQuery> queries{{.image = picture,
                                          .caption = "identity 7 <script>alert(1)</script>",
                                          .results = {{picture, 0.1, true, true},
                                                      {picture, 0.2, true, false},
                                                      {picture, 0.3, false, false},
                                                      {folder / "gone\"onload=\"x.jpg", 0.4, false, false}},
                                          .ap = 0.625}};
  PageOptions options{
      .title = "Lists & <more>", .intro = {"First.", "Second."}, .facts = {{"Weights", "a<b.pth"}}};
  options.metrics = {.header = {"set", "mAP"}, .rows = {{"market", "62.5%"}}};
  write_ranked_page(folder / "page.html", options, queries);
  const std::string html = read_text(folder / "page.html");
  EXPECT_EQ(count_of(html, "<figure class=\"query\""), 1u);
  EXPECT_EQ(count_of(html, "<figure class=\"junk\""), 1u);
  EXPECT_EQ(count_of(html, "<figure class=\"hit\""), 1u);
  EXPECT_EQ(count_of(html, "<figure class=\"miss\""), 2u);
  EXPECT_EQ(count_of(html, "<img "), 4u);
  EXPECT_EQ(count_of(html, "class=\"lost\""), 1u);
  EXPECT_EQ(count_of(html, "<p>"), 2u);
  EXPECT_NE(html.find("AP 62.5%"), std::string::npos);
  EXPECT_NE(html.find("<i>1</i> 0.200"), std::string::npos); // junk takes no rank
  EXPECT_NE(html.find("<td>62.5%</td>"), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("\"onload"), std::string::npos);
  EXPECT_EQ(html.find("<b.pth"), std::string::npos);
}

TEST(RankedPage, AsksNobodyForAnything) {
  const std::string html = ranked_page({.title = "Empty"}, {});
  EXPECT_TRUE(html.starts_with("<!doctype html>"));
  EXPECT_TRUE(html.ends_with("</html>\n"));
  for (const char* outside : {"http", "url(", "@import", "<link", "<script", "<iframe"})
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  EXPECT_EQ(html.find("<table"), std::string::npos);
}

} // namespace
} // namespace vlreid
