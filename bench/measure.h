// What the benchmark programs of the encoders share: clocks, medians, and the rate of LibTorch's own matrix
// product, which the rate of everything else is compared with.
#pragma once

#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <algorithm>
#include <chrono>
#include <vector>

namespace vlreid {

double seconds_of(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// GFLOP/s of [rows, inner] x [inner, columns] in float32: the best of a few.
inline double product_rate(std::int64_t rows, std::int64_t inner, std::int64_t columns) {
  constexpr int kTimes = 4;
  const at::Tensor a = at::randn({rows, inner}), b = at::randn({inner, columns});
  const double flops =
      2.0 * static_cast<double>(rows) * static_cast<double>(inner) * static_cast<double>(columns) / 1e9;
  double best = 1e30;
  for (int i = 0; i < kTimes; ++i)
    best = std::min(best, seconds_of([&] { at::mm(a, b); }));
  return flops / best;
}

// The faster of two products: the widest of ViT-B for 16 images, and a square one.
inline double peak_product_rate() {
  return std::max(product_rate(2064, 768, 3072), product_rate(2048, 2048, 2048));
}

} // namespace vlreid
