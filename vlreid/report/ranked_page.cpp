#include "vlreid/report/ranked_page.h"

#include "vlreid/base/files.h"

#include <fmt/format.h>

namespace vlreid {
namespace {

constexpr std::string_view kLegend =
    "<div class=\"legend\"><span class=\"query\">query</span><span class=\"hit\">same identity</span>"
    "<span class=\"miss\">another identity</span><span class=\"junk\">same identity and camera: does not "
    "count</span></div>\n";

std::string_view tone_of(const RankedResult& result) {
  return result.is_same_camera ? "junk" : result.is_match ? "hit" : "miss";
}

// `caption` is HTML.
std::string figure_html(const std::filesystem::path& path, std::string_view tone, const std::string& caption,
                        const ThumbnailOptions& thumbnails) {
  const std::string name = escape_html(path.filename().string());
  const auto uri = thumbnail_uri(path, thumbnails);
  const std::string picture = uri ? fmt::format("<img src=\"{}\" alt=\"{}\" loading=\"lazy\">", *uri, name)
                                  : fmt::format("<span class=\"lost\">{}</span>", name);
  return fmt::format(
      "<figure class=\"{}\" title=\"{}\"><span class=\"frame\">{}</span><figcaption>{}</figcaption></figure>",
      tone, name, picture, caption);
}

std::string query_html(const RankedQuery& query, const ThumbnailOptions& thumbnails) {
  std::string html =
      fmt::format("<section class=\"ranked\">\n<header><b>AP {:.1f}%</b><span>{}</span></header>\n",
                  100 * query.ap, escape_html(query.caption));
  html += figure_html(query.image, "query", "<i>query</i>", thumbnails) + "\n<ol>\n";
  int rank = 0; // results that do not count have none
  for (const RankedResult& result : query.results) {
    const std::string place = result.is_same_camera ? "–" : std::to_string(++rank);
    const std::string caption = fmt::format("<i>{}</i> {:.3f}", place, result.distance);
    html += "<li>" + figure_html(result.path, tone_of(result), caption, thumbnails) + "</li>\n";
  }
  return html + "</ol>\n</section>\n";
}

} // namespace

std::string ranked_lists_html(std::span<const RankedQuery> queries, const ThumbnailOptions& thumbnails) {
  std::string html(kLegend);
  for (const RankedQuery& query : queries)
    html += query_html(query, thumbnails);
  return html;
}

std::string ranked_page(const PageOptions& options, std::span<const RankedQuery> queries) {
  std::string html = open_page({.title = options.title, .intro = options.intro, .facts = options.facts});
  html += table_html(options.metrics);
  html += ranked_lists_html(queries, options.thumbnails);
  return html + close_page();
}

void write_ranked_page(const std::filesystem::path& path, const PageOptions& options,
                       const std::vector<RankedQuery>& queries) {
  write_file(path, ranked_page(options, queries));
}

} // namespace vlreid
