#include "vlreid/report/html.h"

#include "vlreid/base/error.h"
#include "vlreid/image/decode.h"
#include "vlreid/image/encode.h"
#include "vlreid/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace vlreid {
namespace {

// Colours are named for what they mean; the second block is the same in the dark.
constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1b2128; --soft: #5d6875; --line: #dfe3e8;
  --hit: #1f9d55; --miss: #d64545; --junk: #9aa3ad; --accent: #2f5fd0;
  --t0: #2f5fd0; --t1: #d9722b; --t2: #23876b; --t3: #a8388f; --t4: #8a6d00; --t5: #5b5bd6; --t6: #c23b4b; --t7: #4f6273; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --card: #1d2228; --ink: #e7ebf0; --soft: #9ba6b2;
  --line: #323941; --hit: #3ccb7c; --miss: #f06a6a; --junk: #6d7782; --accent: #86a8ff;
  --t0: #86a8ff; --t1: #f2a25f; --t2: #4fc7a1; --t3: #e184cd; --t4: #d6b945; --t5: #b0a7ff; --t6: #ff8d98; --t7: #a3b5c4; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { margin: 0 0 8px; font-size: 28px; line-height: 1.2; letter-spacing: -.01em; }
h2 { margin: 36px 0 10px; font-size: 20px; line-height: 1.25; }
h3 { margin: 0 0 6px; font-size: 14px; }
p { margin: 0 0 10px; max-width: 75ch; color: var(--soft); }
dl.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 10px; margin: 20px 0; }
dl.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
dt { color: var(--soft); font-size: 12px; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 20px 0; background: var(--card); border: 1px solid var(--line); }
th, td { padding: 7px 14px; border-bottom: 1px solid var(--line); text-align: right; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 18px; margin: 20px 0 12px; color: var(--soft); font-size: 13px; }
.legend span::before { content: ""; display: inline-block; width: 12px; height: 12px; margin-right: 6px; border-radius: 4px;
  border: 3px solid var(--tone); vertical-align: -2px; }
.hit { --tone: var(--hit); } .miss { --tone: var(--miss); } .junk { --tone: var(--junk); } .query { --tone: var(--accent); }
.ranked { display: grid; grid-template-columns: auto 1fr; gap: 6px 20px; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px; padding: 16px; margin: 0 0 14px; }
.ranked header { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; }
.ranked header b { font-variant-numeric: tabular-nums; }
.ranked header span { color: var(--soft); overflow-wrap: anywhere; }
.ranked ol { display: flex; gap: 10px; margin: 0; padding: 0 0 6px; list-style: none; overflow-x: auto; }
figure { margin: 0; flex: none; width: max-content; text-align: center; }
figure .frame { display: block; border: 3px solid var(--tone); border-radius: 8px; overflow: hidden; background: var(--page); }
figure img { display: block; height: 144px; width: auto; max-width: 220px; object-fit: contain; }
figure .lost { display: grid; place-items: center; width: 72px; height: 144px; padding: 4px; color: var(--soft); font-size: 11px;
  overflow-wrap: anywhere; }
figcaption { font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; }
figcaption i { font-style: normal; font-weight: 700; color: var(--tone); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(380px, 100%), 1fr)); gap: 14px; margin: 20px 0; }
.chart { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 14px 16px 8px; min-width: 0; }
.chart svg { display: block; width: 100%; height: auto; }
.chart text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.chart path { fill: none; vector-effect: non-scaling-stroke; }
.chart .grid { stroke: var(--line); }
.chart .line { stroke: var(--tone); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.chart circle { fill: var(--tone); stroke: var(--card); stroke-width: 1.5; }
.keys { display: flex; flex-wrap: wrap; gap: 2px 14px; margin-bottom: 4px; color: var(--soft); font-size: 12px; }
.keys span { overflow-wrap: anywhere; }
.keys span::before { content: ""; display: inline-block; width: 14px; height: 3px; margin-right: 6px; border-radius: 2px;
  background: var(--tone); vertical-align: 3px; }
.tone0 { --tone: var(--t0); } .tone1 { --tone: var(--t1); } .tone2 { --tone: var(--t2); } .tone3 { --tone: var(--t3); }
.tone4 { --tone: var(--t4); } .tone5 { --tone: var(--t5); } .tone6 { --tone: var(--t6); } .tone7 { --tone: var(--t7); }
.pairs { display: flex; flex-wrap: wrap; gap: 14px; }
.pair { --tone: var(--line); }
.pair .frame { display: flex; gap: 3px; border-width: 1px; background: var(--line); }
footer { margin-top: 28px; color: var(--soft); font-size: 12px; }
@media (max-width: 640px) { .ranked { grid-template-columns: 1fr; } figure img, figure .lost { height: 112px; } }
)css";

std::string facts_html(const std::vector<Fact>& facts) {
  if (facts.empty()) return {};
  std::string html = "<dl class=\"facts\">\n";
  for (const auto& [label, value] : facts)
    html += "<div><dt>" + escape_html(label) + "</dt><dd>" + escape_html(value) + "</dd></div>\n";
  return html + "</dl>\n";
}

std::string row_html(const std::vector<std::string>& cells, std::string_view tag) {
  std::string html = "<tr>";
  for (const std::string& cell : cells) {
    html += '<';
    html += tag;
    html += '>' + escape_html(cell) + "</";
    html += tag;
    html += '>';
  }
  return html + "</tr>\n";
}

// Characters, not bytes, of UTF-8.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string row_text(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string gap(widths[i] - width_of(cells[i]), ' ');
    line += i == 0 ? cells[i] + gap : "  " + gap + cells[i];
  }
  return line + '\n';
}

} // namespace

std::string escape_html(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
    case '&':
      safe += "&amp;";
      break;
    case '<':
      safe += "&lt;";
      break;
    case '>':
      safe += "&gt;";
      break;
    case '"':
      safe += "&quot;";
      break;
    case '\'':
      safe += "&#39;";
      break;
    default:
      safe += static_cast<unsigned char>(c) < 32 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
  return safe;
}

std::string encode_base64(const std::vector<std::byte>& bytes) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0u;
    };
    const std::uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    text += kAlphabet[group >> 18];
    text += kAlphabet[(group >> 12) & 63];
    text += i + 1 < bytes.size() ? kAlphabet[(group >> 6) & 63] : '=';
    text += i + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
  }
  return text;
}

Image shrunk_to_fit(const Image& image, const ThumbnailOptions& options) {
  const double shrink = std::min(static_cast<double>(options.max_height) / image.height,
                                 static_cast<double>(options.max_width) / image.width);
  if (shrink >= 1) return image;
  const auto shrunk = [&](int size) { return std::max(1, static_cast<int>(std::lround(size * shrink))); };
  return resize(image,
                {.height = shrunk(image.height), .width = shrunk(image.width), .filter = Filter::bicubic});
}

std::string thumbnail_uri(const Image& image, const ThumbnailOptions& options) {
  return "data:image/jpeg;base64," +
         encode_base64(encode_jpeg(shrunk_to_fit(image, options), options.quality));
}

std::optional<std::string> thumbnail_uri(const std::filesystem::path& path, const ThumbnailOptions& options) {
  try {
    return thumbnail_uri(load_image(path), options);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string open_page(const PageHead& head) {
  std::string html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
  html += escape_html(head.title) + "</title>\n<style>";
  html += kStyle;
  html += "</style>\n</head>\n<body>\n<main>\n<h1>" + escape_html(head.title) + "</h1>\n";
  for (const std::string& paragraph : head.intro)
    html += "<p>" + escape_html(paragraph) + "</p>\n";
  return html + facts_html(head.facts);
}

std::string table_html(const Table& table) {
  if (table.rows.empty()) return {};
  std::string html =
      "<div class=\"scroll\"><table>\n<thead>" + row_html(table.header, "th") + "</thead>\n<tbody>\n";
  for (const auto& row : table.rows)
    html += row_html(row, "td");
  return html + "</tbody>\n</table></div>\n";
}

std::string close_page() {
  return "<footer>Made by vlreid.</footer>\n</main>\n</body>\n</html>\n";
}

std::string table_text(const Table& table) {
  if (table.rows.empty()) return {};
  std::vector<std::size_t> widths(table.header.size());
  const auto widen = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], width_of(cells[i]));
  };
  widen(table.header);
  std::ranges::for_each(table.rows, widen);
  std::string text = row_text(table.header, widths);
  for (const auto& row : table.rows)
    text += row_text(row, widths);
  return text;
}

} // namespace vlreid
