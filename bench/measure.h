// What the benchmark programs of the encoders share: medians, and the rate of LibTorch's own matrix
// product, which the rate of everything else is compared with.
#pragma once

#include "bench/serve.h"

#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <algorithm>
#include <ctime>
#include <vector>

namespace vlreid {

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Processor seconds of all threads: on a busy machine their ratios say more than those of the clock.
double processor_seconds_of(const auto& work) {
  const std::clock_t begin = std::clock();
  work();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

// GFLOP/s by the clock, and per processor second.
struct Rate {
  double by_clock, by_processor;
};

// Of [rows, inner] x [inner, columns] in float32: the best of a few.
inline Rate product_rate(std::int64_t rows, std::int64_t inner, std::int64_t columns) {
  constexpr int kTimes = 4;
  const at::Tensor a = at::randn({rows, inner}), b = at::randn({inner, columns});
  const double flops =
      2.0 * static_cast<double>(rows) * static_cast<double>(inner) * static_cast<double>(columns) / 1e9;
  Rate best{0, 0};
  for (int i = 0; i < kTimes; ++i) {
    double seconds = 0;
    const double processor_seconds =
        processor_seconds_of([&] { seconds = seconds_of([&] { at::mm(a, b); }); });
    best = {std::max(best.by_clock, flops / seconds), std::max(best.by_processor, flops / processor_seconds)};
  }
  return best;
}

// The faster of two products: the widest of ViT-B for 16 images, and a square one.
inline Rate peak_product_rate() {
  const Rate wide = product_rate(2064, 768, 3072), square = product_rate(2048, 2048, 2048);
  return {std::max(wide.by_clock, square.by_clock), std::max(wide.by_processor, square.by_processor)};
}

} // namespace vlreid
