#include "vlreid/report/chart.h"

#include "vlreid/report/html.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace vlreid {
namespace {

constexpr std::size_t kMaxPoints = 240; // of a drawn series: about one for two pixels
constexpr std::size_t kTones = 8;       // colours of the style, used again from the first one on

constexpr int kTicks = 5; // about, on each axis

// In units of the picture, which is scaled to the width of its card.
constexpr double kWidth = 420, kHeight = 210, kLeft = 52, kRight = 12, kTop = 10, kBottom = 34;

// Sums and differences of drawn values stay finite, and differences of unlike ones above zero.
constexpr double kLargest = 1e300, kSmallestRange = 1e-280;

bool is_drawable(double value) {
  return std::isfinite(value) && std::abs(value) <= kLargest;
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool is_empty() const { return low > high; }
  double width() const { return high - low; }
};

struct Axes {
  Range x, y;
  double to_left(double value) const {
    return kLeft + (kWidth - kLeft - kRight) * (value - x.low) / x.width();
  }
  double to_top(double value) const {
    return kHeight - kBottom - (kHeight - kTop - kBottom) * (value - y.low) / y.width();
  }
};

// 1, 2 or 5 times a power of ten, so that about `count` of them fill the range.
double tick_step(const Range& range, int count) {
  const double raw = range.width() / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power * 1.0001) return factor * power;
  return 10 * power;
}

// A range of some width around values that are all alike.
void widen(Range& range) {
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (range.width() > std::max(1e-9 * size, kSmallestRange)) return;
  const double margin = size < kSmallestRange ? 1 : 0.1 * size;
  range = {range.low - margin, range.high + margin};
}

void round_outwards(Range& range, int count) {
  const double step = tick_step(range, count);
  range = {step * std::floor(range.low / step + 1e-9), step * std::ceil(range.high / step - 1e-9)};
}

Axes axes_of(const std::vector<Series>& series) {
  Axes axes;
  for (const Series& one : series)
    for (const ChartPoint& point : one.points)
      if (is_drawable(point.y)) axes.x.include(point.x), axes.y.include(point.y);
  if (axes.x.is_empty()) return axes;
  if (axes.y.low > 0 && axes.y.low < 0.5 * axes.y.high) axes.y.low = 0; // near enough to show it
  widen(axes.x);
  widen(axes.y);
  round_outwards(axes.y, kTicks);
  return axes;
}

std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& points) {
  const std::size_t group = (points.size() + kMaxPoints - 1) / kMaxPoints;
  if (group <= 1) return points;
  std::vector<ChartPoint> means;
  for (std::size_t begin = 0; begin < points.size(); begin += group) {
    const std::size_t end = std::min(points.size(), begin + group);
    ChartPoint mean;
    for (std::size_t i = begin; i < end; ++i) {
      mean.x += points[i].x / static_cast<double>(end - begin);
      mean.y += points[i].y / static_cast<double>(end - begin);
    }
    means.push_back(mean);
  }
  return means;
}

std::string value_text(const Chart& chart, double value) {
  return chart.is_percent ? fmt::format("{:.4g}%", 100 * value) : fmt::format("{:.4g}", value);
}

std::string text_at(double left, double top, std::string_view anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", left, top, anchor,
                     escape_html(text));
}

std::string grid_svg(const Chart& chart, const Axes& axes) {
  std::string svg;
  const double y_step = tick_step(axes.y, kTicks);
  for (double y = axes.y.low; y <= axes.y.high + y_step / 2; y += y_step) {
    const double tick = std::abs(y) < y_step / 1000 ? 0 : y;
    svg +=
        fmt::format("<path class=\"grid\" d=\"M{} {:.1f}H{}\"/>\n", kLeft, axes.to_top(y), kWidth - kRight);
    svg += text_at(kLeft - 6, axes.to_top(y) + 4, "end", value_text(chart, tick));
  }
  const double x_step = std::max(tick_step(axes.x, kTicks), 1.0); // whole epochs
  for (double x = x_step * std::ceil(axes.x.low / x_step - 1e-9); x <= axes.x.high + 1e-9; x += x_step)
    svg += text_at(axes.to_left(x), kHeight - kBottom + 16, "middle", fmt::format("{:.6g}", x));
  return svg + text_at(kWidth - kRight, kHeight - 4, "end", chart.x_name);
}

std::string line_path(const std::vector<ChartPoint>& points, const Axes& axes) {
  std::string path;
  char pen = 'M';
  for (const ChartPoint& point : points) {
    if (!is_drawable(point.y)) {
      pen = 'M';
      continue;
    }
    path += fmt::format("{}{:.1f} {:.1f}", pen, axes.to_left(point.x), axes.to_top(point.y));
    pen = 'L';
  }
  return path;
}

std::string series_svg(const Chart& chart, const Series& series, std::size_t tone, const Axes& axes) {
  const std::vector<ChartPoint> points = thinned(series.points);
  const auto last = std::find_if(points.rbegin(), points.rend(), [](auto& p) { return is_drawable(p.y); });
  if (last == points.rend()) return {};
  const std::string name = escape_html(series.name);
  std::string svg =
      fmt::format("<g class=\"tone{}\"><path class=\"line\" d=\"{}\"><title>{}, last: {}</title></path>\n",
                  tone % kTones, line_path(points, axes), name, value_text(chart, last->y));
  for (const ChartPoint& point : points)
    if ((chart.has_dots || points.size() == 1) && is_drawable(point.y))
      svg += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}, {} {:.6g}: {}</title></circle>\n",
          axes.to_left(point.x), axes.to_top(point.y), name, escape_html(chart.x_name), point.x,
          value_text(chart, point.y));
  return svg + "</g>\n";
}

std::string legend_html(const std::vector<Series>& series) {
  if (series.size() < 2) return {};
  std::string html = "<div class=\"keys\">";
  for (std::size_t i = 0; i < series.size(); ++i)
    html += fmt::format("<span class=\"tone{}\">{}</span>", i % kTones, escape_html(series[i].name));
  return html + "</div>\n";
}

} // namespace

std::string chart_html(const Chart& chart) {
  const Axes axes = axes_of(chart.series);
  if (axes.x.is_empty()) return {};
  std::string html = fmt::format("<section class=\"chart\"><h3>{}</h3>\n", escape_html(chart.title));
  html += legend_html(chart.series);
  html += fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", kWidth, kHeight,
                      escape_html(chart.title));
  html += grid_svg(chart, axes);
  for (std::size_t i = 0; i < chart.series.size(); ++i)
    html += series_svg(chart, chart.series[i], i, axes);
  return html + "</svg></section>\n";
}

} // namespace vlreid
