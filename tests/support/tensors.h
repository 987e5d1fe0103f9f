// Tensors in tests: read one from a golden file, compare two with the tolerances of golden/README.md.
// Header-only, so that the test library itself stays free of LibTorch; a test that includes this needs
// vlreid::archive and LibTorch.
#pragma once

#include "vlreid/archive/safetensors.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <string>

namespace vlreid {

inline at::ScalarType golden_scalar_type(Dtype dtype) {
  switch (dtype) {
  case Dtype::float64:
    return at::kDouble;
  case Dtype::float32:
    return at::kFloat;
  case Dtype::float16:
    return at::kHalf;
  case Dtype::bfloat16:
    return at::kBFloat16;
  case Dtype::int64:
    return at::kLong;
  case Dtype::int32:
    return at::kInt;
  case Dtype::int16:
    return at::kShort;
  case Dtype::int8:
    return at::kChar;
  case Dtype::uint8:
    return at::kByte;
  case Dtype::boolean:
    return at::kBool;
  }
  return at::kFloat;
}

// A copy of a tensor of the file.
inline at::Tensor golden_tensor(const SafetensorsFile& file, std::string_view name) {
  const TensorEntry& entry = file.at(name);
  at::Tensor tensor = at::empty(entry.shape, golden_scalar_type(entry.dtype));
  if (!entry.bytes.empty()) std::memcpy(tensor.data_ptr(), entry.bytes.data(), entry.bytes.size());
  return tensor;
}

// |actual - expected| <= abs, or <= rel * max(1, |expected|): one of the two is enough, each 0 when not
// given.
struct Tolerance {
  double abs = 0;
  double rel = 0;
};

// Compares element by element in double precision and reports the worst element; shapes must be equal, NaN
// equals only NaN.
inline void expect_close(const at::Tensor& actual, const at::Tensor& expected, Tolerance tolerance,
                         const std::string& what = "") {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const at::Tensor a = actual.detach().to(at::kCPU, at::kDouble).contiguous();
  const at::Tensor b = expected.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* pa = a.const_data_ptr<double>();
  const double* pb = b.const_data_ptr<double>();
  std::int64_t worst = -1;
  double worst_excess = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    if (pa[i] == pb[i] || (std::isnan(pa[i]) && std::isnan(pb[i]))) continue;
    const double difference = std::abs(pa[i] - pb[i]);
    const double allowed = std::max(tolerance.abs, tolerance.rel * std::max(1.0, std::abs(pb[i])));
    if (difference <= allowed) continue;
    const double excess = std::isnan(difference) || allowed == 0 ? INFINITY : difference / allowed;
    if (worst < 0 || excess > worst_excess) {
      worst = i;
      worst_excess = excess;
    }
  }
  EXPECT_LT(worst, 0) << what << ": element " << worst << " of " << shape_text(b.sizes()) << " is "
                      << pa[worst] << ", expected " << pb[worst] << ", " << worst_excess
                      << " times the tolerance (abs " << tolerance.abs << ", rel " << tolerance.rel << ")";
}

} // namespace vlreid
