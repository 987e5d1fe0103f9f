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

// The real weights of one output pixel, summing to 1, written to `weights`.
void fill_real_weights(Filter filter, double center, double scale, int first, std::vector<double>& weights) {
  const double inverse = 1.0 / scale;
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = filter_value(filter, (static_cast<double>(i) + first - center + 0.5) * inverse);
    sum += weights[i];
  }
  if (sum == 0) return;
  for (double& weight : weights)
    weight /= sum;
}

std::int32_t halves(std::int32_t even, std::int32_t odd) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(even) & 0xffff) |
                                   static_cast<std::uint32_t>(odd) << 16);
}

// The bound on the number of taps is generous; keep only those that some output needs.
void shorten_rows(PassWeights& pass, int taps) {
  for (int i = 0; i < pass.output; ++i)
    std::copy_n(&pass.weights[static_cast<std::size_t>(i) * pass.taps], taps,
                &pass.weights[static_cast<std::size_t>(i) * taps]);
  pass.taps = taps;
  pass.weights.resize(static_cast<std::size_t>(pass.output) * taps);
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
  const double ratio = static_cast<double>(input) / output;
  const double scale = std::max(ratio, 1.0); // shrinking widens the filter
  const double support = filter_support(filter) * scale;
  PassWeights pass;
  pass.output = output;
  pass.taps = static_cast<int>(std::ceil(support)) * 2 + 2;
  pass.first.resize(output);
  pass.count.resize(output);
  pass.weights.assign(static_cast<std::size_t>(output) * pass.taps, 0);
  std::vector<double> weights;
  int longest = 1;
  for (int i = 0; i < output; ++i) {
    const double center = (i + 0.5) * ratio;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), input);
    weights.resize(end - first);
    fill_real_weights(filter, center, scale, first, weights);
    pass.first[i] = first;
    pass.count[i] = end - first;
    longest = std::max(longest, end - first);
    std::ranges::transform(weights, &pass.weights[static_cast<std::size_t>(i) * pass.taps], to_fixed_point);
  }
  shorten_rows(pass, longest + longest % 2);
  pack_weights(pass);
  return pass;
}

} // namespace vlreid
