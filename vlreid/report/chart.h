// Line charts as inline SVG, in the pages' colours, light and dark; values as tooltips, no script. Internal
// to the folder; pure functions.
#pragma once

#include <string>
#include <vector>

namespace vlreid {

struct ChartPoint {
  double x = 0, y = 0; // points with a y that is not finite leave a gap
};

struct Series {
  std::string name;
  std::vector<ChartPoint> points; // x ascending
};

struct Chart {
  std::string title;
  std::string x_name = "epoch";
  std::vector<Series> series = {};
  bool is_percent = false; // y is a share, 0..1, and printed as percent
  bool has_dots = false;   // few points, each of its own worth
};

// Complete and escaped; empty when there is nothing to draw. Long series are drawn by the means of
// neighbouring points.
std::string chart_html(const Chart& chart);

} // namespace vlreid
