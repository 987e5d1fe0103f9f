#include "vlreid/image/resize_kernels.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace vlreid {
namespace {

double triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

// Keys' cubic convolution with a = -0.5.
double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

double filter_value(Filter filter, double x) {
  return filter == Filter::bilinear ? triangle(x) : cubic(x);
}

// Half the filter's width in input pixels when nothing shrinks.
double filter_support(Filter filter) {
  return filter == Filter::bilinear ? 1.0 : 2.0;
}

std::int32_t to_fixed_point(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<std::int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

// The real weights of one output pixel, summing to 1.
struct Window {
  int first = 0;
  std::vector<double> weights;
};

Window make_window(Filter filter, double center, double scale, int input) {
  const double support = filter_support(filter) * scale;
  const int first = std::max(static_cast<int>(center - support + 0.5), 0);
  const int end = std::min(static_cast<int>(center + support + 0.5), input);
  Window window{.first = first, .weights = std::vector<double>(end - first)};
  const double inverse = 1.0 / scale;
  double sum = 0;
  for (int i = first; i < end; ++i)
    sum += window.weights[i - first] = filter_value(filter, (i - center + 0.5) * inverse);
  if (sum != 0)
    for (double& weight : window.weights)
      weight /= sum;
  return window;
}

std::vector<Window> make_windows(int input, int output, Filter filter) {
  const double ratio = static_cast<double>(input) / output;
  std::vector<Window> windows;
  for (int i = 0; i < output; ++i)
    windows.push_back(
        make_window(filter, (i + 0.5) * ratio, std::max(ratio, 1.0), input)); // shrinking widens the filter
  return windows;
}

std::int32_t halves(std::int32_t even, std::int32_t odd) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(even) & 0xffff) |
                                   static_cast<std::uint32_t>(odd) << 16);
}

void pack_weights(PassWeights& pass) {
  constexpr std::int32_t kLowMask = (1 << kLowBits) - 1;
  pass.packed.resize(pass.weights.size());
  for (std::size_t i = 0; i < pass.weights.size(); i += 2) {
    const std::int32_t even = pass.weights[i];
    const std::int32_t odd = pass.weights[i + 1];
    pass.packed[i] = halves(even & kLowMask, odd & kLowMask);
    pass.packed[i + 1] = halves(even >> kLowBits, odd >> kLowBits);
  }
}

} // namespace

Filter parse_filter(std::string_view name) {
  if (name == "bilinear") return Filter::bilinear;
  if (name == "bicubic") return Filter::bicubic;
  fail(ErrorKind::config, {.place = "resize filter",
                           .found = "'" + std::string(name) + "'",
                           .expected = "bilinear or bicubic",
                           .remedy = "choose one of them"});
}

PassWeights make_pass_weights(int input, int output, Filter filter) {
  const std::vector<Window> windows = make_windows(input, output, filter);
  std::size_t longest = 0;
  for (const Window& window : windows)
    longest = std::max(longest, window.weights.size());
  PassWeights pass;
  pass.output = output;
  pass.taps = static_cast<int>((longest + 1) / 2 * 2);
  pass.reach = std::min(pass.taps, input);
  const int padded = (output + kPixelsAtOnce - 1) / kPixelsAtOnce * kPixelsAtOnce;
  pass.first.assign(padded, 0);
  pass.weights.assign(static_cast<std::size_t>(padded) * pass.taps, 0);
  for (int i = 0; i < output; ++i) {
    const Window& window = windows[i];
    pass.first[i] = std::min(window.first, input - pass.reach);
    std::int32_t* row = &pass.weights[static_cast<std::size_t>(i) * pass.taps];
    std::ranges::transform(window.weights, row + (window.first - pass.first[i]), to_fixed_point);
  }
  pack_weights(pass);
  return pass;
}

} // namespace vlreid
