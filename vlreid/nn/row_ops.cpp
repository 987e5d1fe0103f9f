#include "vlreid/nn/row_ops.h"

#include "vlreid/nn/layers.h"
#include "vlreid/nn/vector_loops.h"

#include <cmath>
#include <cstring>

namespace vlreid {
namespace {

struct NormTask {
  const float* x;
  const float* weight;
  const float* bias;
  float* out;
  std::int64_t width;
};

struct NarrowNormTask {
  const float* x;
  const float* weight;
  const float* bias;
  std::uint16_t* out;
  float *means, *deviations;
  std::int64_t width;
};

VLREID_INLINE float sum_of(const float* __restrict x, std::int64_t width) {
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane)
      lanes[lane] += x[i + lane];
  for (; i < width; ++i)
    lanes[0] += x[i];
  return total(lanes);
}

VLREID_INLINE float squared_deviations(const float* __restrict x, float mean, std::int64_t width) {
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane)
      lanes[lane] += (x[i + lane] - mean) * (x[i + lane] - mean);
  for (; i < width; ++i)
    lanes[0] += (x[i] - mean) * (x[i] - mean);
  return total(lanes);
}

struct Moments {
  float mean, scale; // 1 / deviation
};

VLREID_INLINE Moments moments_of(const float* x, std::int64_t width) {
  const auto count = static_cast<float>(width);
  const float mean = sum_of(x, width) / count;
  const float variance = squared_deviations(x, mean, width) / count;
  return {mean, 1.0F / std::sqrt(variance + static_cast<float>(kLayerNormEpsilon))};
}

VLREID_INLINE void norm_some(const NormTask& task, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* x = task.x + row * task.width;
    float* out = task.out + row * task.width;
    const auto [mean, scale] = moments_of(x, task.width);
    for (std::int64_t i = 0; i < task.width; ++i)
      out[i] = (x[i] - mean) * scale * task.weight[i] + task.bias[i];
  }
}

VLREID_INLINE void narrow_norm_some(const NarrowNormTask& task, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* __restrict x = task.x + row * task.width;
    std::uint16_t* __restrict out = task.out + row * task.width;
    const auto [mean, scale] = moments_of(x, task.width);
    task.means[row] = mean;
    task.deviations[row] = scale;
    for (std::int64_t i = 0; i < task.width; ++i)
      out[i] = bf16_of_float((x[i] - mean) * scale * task.weight[i] + task.bias[i]);
  }
}

struct SoftmaxTask {
  float* x;
  std::int64_t width;
  std::int64_t stride;
  float scale;
};

VLREID_INLINE float largest_of(const float* __restrict x, std::int64_t width) {
  float lanes[kLanes];
  for (float& lane : lanes)
    lane = x[0];
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane)
      lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
  for (; i < width; ++i)
    lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane)
      lanes[lane] = lanes[lane + half] > lanes[lane] ? lanes[lane + half] : lanes[lane];
  return lanes[0];
}

// e^(scale (x - largest)) of kLanes numbers in place, added to the lanes of a sum.
VLREID_INLINE void exponentiate(float* __restrict x, float largest, float scale, float* __restrict lanes) {
  for (int lane = 0; lane < kLanes; ++lane) {
    x[lane] = fast_exp((x[lane] - largest) * scale);
    lanes[lane] += x[lane];
  }
}

VLREID_INLINE void softmax_some(const SoftmaxTask& task, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    float* __restrict x = task.x + row * task.stride;
    const float largest = largest_of(x, task.width);
    float lanes[kLanes] = {}, rest[kLanes] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= task.width; i += kLanes)
      exponentiate(x + i, largest, task.scale, lanes);
    float sum = total(lanes);
    if (const std::int64_t count = task.width - i; count > 0) {
      float unused[kLanes] = {};
      std::memcpy(rest, x + i, count * sizeof(float));
      exponentiate(rest, largest, task.scale, unused);
      std::memcpy(x + i, rest, count * sizeof(float));
      for (std::int64_t lane = 0; lane < count; ++lane)
        sum += rest[lane];
    }
    const float factor = 1.0F / sum;
    for (i = 0; i < task.width; ++i)
      x[i] *= factor;
  }
}

struct SoftmaxBackwardTask {
  const float* values;
  float* gradient;
  std::int64_t width;
  float scale;
};

VLREID_INLINE float dot(const float* __restrict a, const float* __restrict b, std::int64_t width) {
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane)
      lanes[lane] += a[i + lane] * b[i + lane];
  for (; i < width; ++i)
    lanes[0] += a[i] * b[i];
  return total(lanes);
}

VLREID_INLINE void softmax_backward_some(const SoftmaxBackwardTask& task, std::int64_t begin,
                                         std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* __restrict values = task.values + row * task.width;
    float* __restrict gradient = task.gradient + row * task.width;
    const float mean = dot(values, gradient, task.width);
    for (std::int64_t i = 0; i < task.width; ++i)
      gradient[i] = values[i] * (gradient[i] - mean) * task.scale;
  }
}

VLREID_LOOPS(norm, norm_some)
VLREID_LOOPS(narrow_norm, narrow_norm_some)
VLREID_LOOPS(softmax_backward, softmax_backward_some)
VLREID_LOOPS(softmax, softmax_some)

} // namespace

void layer_norm_rows(const float* x, std::int64_t rows, std::int64_t width, const float* weight,
                     const float* bias, float* out) {
  static const RowLoop<NormTask> loop = norm_loop<NormTask>();
  loop({x, weight, bias, out, width}, 0, rows);
}

void layer_norm_rows(const float* x, std::int64_t rows, std::int64_t width, const float* weight,
                     const float* bias, Bf16* out, float* means, float* deviations) {
  static const RowLoop<NarrowNormTask> loop = narrow_norm_loop<NarrowNormTask>();
  loop({x, weight, bias, reinterpret_cast<std::uint16_t*>(out), means, deviations, width}, 0, rows);
}

void softmax_rows(float* x, std::int64_t rows, std::int64_t width, std::int64_t stride, float scale) {
  static const RowLoop<SoftmaxTask> loop = softmax_loop<SoftmaxTask>();
  loop({x, width, stride, scale}, 0, rows);
}

void softmax_backward_rows(const float* values, float* gradient, std::int64_t rows, std::int64_t width,
                           float scale) {
  static const RowLoop<SoftmaxBackwardTask> loop = softmax_backward_loop<SoftmaxBackwardTask>();
  loop({values, gradient, width, scale}, 0, rows);
}

} // namespace vlreid
