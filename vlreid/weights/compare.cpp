#include "vlreid/tensor/dtype.h"
#include "vlreid/weights/describe.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace vlreid {
namespace {

TensorLine line_of(const std::string& name, const at::Tensor& tensor) {
  return {.name = name, .dtype = std::string(name_of(tensor.scalar_type())), .shape = tensor.sizes().vec()};
}

bool has_same_bytes(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous();
  const at::Tensor y = b.contiguous();
  return x.nbytes() == 0 || std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0;
}

// A number against NaN counts as infinite; NaN against NaN and infinity against itself as equal.
double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble).contiguous();
  const at::Tensor y = b.to(at::kDouble).contiguous();
  const double* px = x.const_data_ptr<double>();
  const double* py = y.const_data_ptr<double>();
  double largest = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    if (px[i] == py[i] || (std::isnan(px[i]) && std::isnan(py[i]))) continue;
    const double difference = std::abs(px[i] - py[i]);
    largest =
        std::isnan(difference) ? std::numeric_limits<double>::infinity() : std::max(largest, difference);
  }
  return largest;
}

void compare_tensor(const std::string& name, const at::Tensor& a, const at::Tensor& b,
                    Comparison& comparison) {
  const bool has_same_shape = a.sizes() == b.sizes();
  const bool has_same_type = a.scalar_type() == b.scalar_type();
  if (has_same_shape && has_same_type && has_same_bytes(a, b)) {
    ++comparison.equal;
    return;
  }
  TensorDifference difference{.name = name, .a = line_of(name, a), .b = line_of(name, b), .largest = {}};
  if (has_same_shape) difference.largest = largest_difference(a, b);
  (has_same_shape && has_same_type ? comparison.different : comparison.misshapen)
      .push_back(std::move(difference));
}

} // namespace

Comparison compare(const WeightsFile& a, const WeightsFile& b) {
  Comparison comparison{
      .path_a = a.path, .path_b = b.path, .only_in_a = {}, .only_in_b = {}, .misshapen = {}, .different = {}};
  for (const auto& [name, tensor] : a.state) {
    if (const at::Tensor* other = b.state.find(name))
      compare_tensor(name, tensor, *other, comparison);
    else
      comparison.only_in_a.push_back(name);
  }
  for (const auto& [name, tensor] : b.state)
    if (!a.state.has(name)) comparison.only_in_b.push_back(name);
  std::ranges::stable_sort(comparison.different, std::ranges::greater{},
                           [](const auto& row) { return *row.largest; });
  return comparison;
}

} // namespace vlreid
