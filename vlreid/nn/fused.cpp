#include "vlreid/nn/fused.h"

#include "vlreid/base/error.h"
#include "vlreid/nn/layers.h"

#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sigmoid_backward.h>
#include <bit>
#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <cmath>

#define VLREID_INLINE inline __attribute__((always_inline))

namespace vlreid {
namespace {

constexpr int kLanes = 16; // floats of one AVX-512 register, two of AVX2
constexpr std::int64_t kRowGrain = 16;
constexpr float kRounding = 12582912.0F; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits

// e^x to about 1e-7 relative for |x| <= 87, clamped outside: range reduction to |r| <= ln(2)/2 and Taylor's
// series to r^7.
VLREID_INLINE float fast_exp(float x) {
  x = x > 87.0F ? 87.0F : x;
  x = x < -87.0F ? -87.0F : x;
  const float shifted = x * 1.44269504F + kRounding;
  const float n = shifted - kRounding;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F; // ln 2 in two parts
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const std::uint32_t exponent = (std::bit_cast<std::uint32_t>(shifted) << 23) + 0x3F800000U;
  return p * std::bit_cast<float>(exponent);
}

template <typename T>
struct NormTask {
  float* x;
  const T* branch; // nullptr: nothing to add
  const float* branch_bias;
  const float* weight;
  const float* bias;
  T* out;
  std::int64_t width;
};

VLREID_INLINE float total(const float* lanes) {
  float sum = 0;
  for (int lane = 0; lane < kLanes; ++lane)
    sum += lanes[lane];
  return sum;
}

// Sum of one row after the branch is added.
template <typename T, bool HasBranch>
VLREID_INLINE float add_and_sum(float* __restrict x, const T* __restrict branch, const float* __restrict bias,
                                std::int64_t width) {
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      if constexpr (HasBranch) x[i + lane] += static_cast<float>(branch[i + lane]) + bias[i + lane];
      lanes[lane] += x[i + lane];
    }
  for (; i < width; ++i) {
    if constexpr (HasBranch) x[i] += static_cast<float>(branch[i]) + bias[i];
    lanes[0] += x[i];
  }
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

template <typename T>
VLREID_INLINE void norm_rows(const NormTask<T>& task, std::int64_t begin, std::int64_t end) {
  const auto count = static_cast<float>(task.width);
  for (std::int64_t row = begin; row < end; ++row) {
    float* x = task.x + row * task.width;
    const T* branch = task.branch == nullptr ? nullptr : task.branch + row * task.width;
    const float sum = branch == nullptr ? add_and_sum<T, false>(x, nullptr, nullptr, task.width)
                                        : add_and_sum<T, true>(x, branch, task.branch_bias, task.width);
    const float mean = sum / count;
    const float scale = 1.0F / std::sqrt(squared_deviations(x, mean, task.width) / count +
                                         static_cast<float>(kLayerNormEpsilon));
    T* __restrict out = task.out + row * task.width;
    for (std::int64_t i = 0; i < task.width; ++i)
      out[i] = static_cast<T>((x[i] - mean) * scale * task.weight[i] + task.bias[i]);
  }
}

template <typename T>
struct GeluTask {
  T* x;
  const float* bias;
  std::int64_t width;
};

template <typename T>
VLREID_INLINE void gelu_rows(const GeluTask<T>& task, std::int64_t begin, std::int64_t end) {
  const float* __restrict bias = task.bias;
  for (std::int64_t row = begin; row < end; ++row) {
    T* __restrict x = task.x + row * task.width;
    for (std::int64_t i = 0; i < task.width; ++i) {
      const float value = static_cast<float>(x[i]) + bias[i];
      x[i] = static_cast<T>(value / (1.0F + fast_exp(-static_cast<float>(kQuickGeluSlope) * value)));
    }
  }
}

// 32 well mixed bits of 32.
VLREID_INLINE std::uint32_t mixed(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x7FEB352DU;
  x ^= x >> 15;
  x *= 0x846CA68BU;
  return x ^ (x >> 16);
}

template <typename T>
struct DropoutTask {
  const T* x;
  T* out;
  std::int64_t width;
  std::uint64_t seed;
  std::uint32_t dropped_below; // of 2^32
  float factor;
};

template <typename T>
VLREID_INLINE void dropout_rows(const DropoutTask<T>& task, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const std::uint32_t key =
        mixed(static_cast<std::uint32_t>(task.seed) ^ mixed(static_cast<std::uint32_t>(row))) +
        static_cast<std::uint32_t>(task.seed >> 32);
    const T* __restrict x = task.x + row * task.width;
    T* __restrict out = task.out + row * task.width;
    for (std::int64_t i = 0; i < task.width; ++i) {
      const bool is_kept = mixed(key + static_cast<std::uint32_t>(i)) >= task.dropped_below;
      out[i] = static_cast<T>(is_kept ? static_cast<float>(x[i]) * task.factor : 0.0F);
    }
  }
}

struct QuantiseTask {
  const float* x;
  std::uint8_t* values;
  float* scales;
  std::int64_t width;
  int half_range;
};

VLREID_INLINE float largest_magnitude(const float* __restrict x, std::int64_t width) {
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      const float magnitude = std::fabs(x[i + lane]);
      lanes[lane] = magnitude > lanes[lane] ? magnitude : lanes[lane];
    }
  for (; i < width; ++i)
    lanes[0] = std::fabs(x[i]) > lanes[0] ? std::fabs(x[i]) : lanes[0];
  float largest = 0;
  for (const float lane : lanes)
    largest = lane > largest ? lane : largest;
  return largest;
}

VLREID_INLINE void quantise_some(const QuantiseTask& task, std::int64_t begin, std::int64_t end) {
  const auto zero = static_cast<std::uint32_t>(task.half_range + 1);
  for (std::int64_t row = begin; row < end; ++row) {
    const float* __restrict x = task.x + row * task.width;
    std::uint8_t* __restrict values = task.values + row * task.width;
    const float largest = largest_magnitude(x, task.width);
    const float steps = largest > 0 ? static_cast<float>(task.half_range) / largest : 0.0F;
    task.scales[row] = largest / static_cast<float>(task.half_range);
    for (std::int64_t i = 0; i < task.width; ++i)
      values[i] = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(x[i] * steps + kRounding) + zero);
  }
}

// Each loop three times over, for what the processor has; the widest that it knows runs.
template <typename Task>
using RowLoop = void (*)(const Task&, std::int64_t, std::int64_t);

#if defined(__x86_64__)
#define VLREID_LOOPS(name, body)                                                                             \
  template <typename T>                                                                                      \
  __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma"))) void name##_avx512(                      \
      const T& task, std::int64_t a, std::int64_t b) {                                                       \
    body(task, a, b);                                                                                        \
  }                                                                                                          \
  template <typename T>                                                                                      \
  __attribute__((target("avx2,fma"))) void name##_avx2(const T& task, std::int64_t a, std::int64_t b) {      \
    body(task, a, b);                                                                                        \
  }                                                                                                          \
  template <typename T>                                                                                      \
  void name##_plain(const T& task, std::int64_t a, std::int64_t b) {                                         \
    body(task, a, b);                                                                                        \
  }                                                                                                          \
  template <typename T>                                                                                      \
  RowLoop<T> name##_loop() {                                                                                 \
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&                          \
        __builtin_cpu_supports("avx512dq"))                                                                  \
      return name##_avx512<T>;                                                                               \
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return name##_avx2<T>;              \
    return name##_plain<T>;                                                                                  \
  }
#else
#define VLREID_LOOPS(name, body)                                                                             \
  template <typename T>                                                                                      \
  void name##_plain(const T& task, std::int64_t a, std::int64_t b) {                                         \
    body(task, a, b);                                                                                        \
  }                                                                                                          \
  template <typename T>                                                                                      \
  RowLoop<T> name##_loop() {                                                                                 \
    return name##_plain<T>;                                                                                  \
  }
#endif

VLREID_LOOPS(norm, norm_rows)
VLREID_LOOPS(gelu, gelu_rows)
VLREID_LOOPS(dropout, dropout_rows)
VLREID_LOOPS(quantise, quantise_some)

template <typename Task>
void run(RowLoop<Task> loop, const Task& task, std::int64_t rows) {
  for_rows(rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) { loop(task, begin, end); });
}

template <typename T>
void norm_on_cpu(at::Tensor& x, const at::Tensor& branch, const at::Tensor& branch_bias,
                 const NormWeights& norm, at::Tensor& out) {
  using Task = NormTask<T>;
  static const RowLoop<Task> loop = norm_loop<Task>();
  run(loop,
      Task{.x = x.mutable_data_ptr<float>(),
           .branch = branch.defined() ? branch.const_data_ptr<T>() : nullptr,
           .branch_bias = branch.defined() ? branch_bias.const_data_ptr<float>() : nullptr,
           .weight = norm.weight.const_data_ptr<float>(),
           .bias = norm.bias.const_data_ptr<float>(),
           .out = out.mutable_data_ptr<T>(),
           .width = x.size(-1)},
      x.size(0));
}

template <typename T>
void gelu_on_cpu(at::Tensor& x, const at::Tensor& bias) {
  using Task = GeluTask<T>;
  static const RowLoop<Task> loop = gelu_loop<Task>();
  run(loop, Task{.x = x.mutable_data_ptr<T>(), .bias = bias.const_data_ptr<float>(), .width = x.size(-1)},
      x.size(0));
}

template <typename T>
void dropout_on_cpu(const at::Tensor& x, at::Tensor& out, DropoutKey key) {
  using Task = DropoutTask<T>;
  static const RowLoop<Task> loop = dropout_loop<Task>();
  run(loop,
      Task{.x = x.const_data_ptr<T>(),
           .out = out.mutable_data_ptr<T>(),
           .width = x.size(1),
           .seed = key.seed,
           .dropped_below = static_cast<std::uint32_t>(key.probability * 4294967296.0),
           .factor = static_cast<float>(1 / (1 - key.probability))},
      x.size(0));
}

bool has_loop(const at::Tensor& x, at::ScalarType type) {
  return x.device().is_cpu() && x.is_contiguous() && (type == at::kFloat || type == at::kBFloat16);
}

} // namespace

void for_rows(std::int64_t rows, std::int64_t grain,
              const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (rows <= 0) return;
  // The iterator only divides the range: its elements are addresses, never read or written.
  const at::Tensor line = at::empty({rows}, at::kByte);
  const char* const base = static_cast<const char*>(line.const_data_ptr());
  auto iterator = at::TensorIterator::borrowing_nullary_op(line);
  iterator.for_each(
      [&](char** data, const std::int64_t*, std::int64_t count, std::int64_t lines) {
        VLREID_ASSERT(lines == 1);
        const std::int64_t begin = data[0] - base;
        body(begin, begin + count);
      },
      grain);
}

at::Tensor add_layer_norm(at::Tensor& x, const at::Tensor& branch, const at::Tensor& branch_bias,
                          const NormWeights& norm, at::ScalarType out_type) {
  VLREID_ASSERT(x.scalar_type() == at::kFloat && x.dim() == 2 &&
                (!branch.defined() || branch.sizes() == x.sizes()));
  const bool branch_fits = !branch.defined() || (branch.is_contiguous() && branch.scalar_type() == out_type);
  if (has_loop(x, out_type) && branch_fits) {
    at::Tensor out = at::empty(x.sizes(), x.options().dtype(out_type));
    if (out_type == at::kFloat)
      norm_on_cpu<float>(x, branch, branch_bias, norm, out);
    else
      norm_on_cpu<at::BFloat16>(x, branch, branch_bias, norm, out);
    return out;
  }
  if (branch.defined()) x.add_(branch).add_(branch_bias);
  return at::layer_norm(x, {x.size(1)}, norm.weight, norm.bias, kLayerNormEpsilon).to(out_type);
}

void bias_quick_gelu_(at::Tensor& x, const at::Tensor& bias) {
  VLREID_ASSERT(x.dim() == 2 && bias.scalar_type() == at::kFloat);
  if (has_loop(x, x.scalar_type())) {
    if (x.scalar_type() == at::kFloat)
      gelu_on_cpu<float>(x, bias);
    else
      gelu_on_cpu<at::BFloat16>(x, bias);
    return;
  }
  x.add_(bias);
  x.mul_(at::sigmoid(kQuickGeluSlope * x));
}

namespace {

// Elements that one thread takes through all operators before it takes the next: 128 KB of each operand, so
// that they stay in the second cache.
constexpr std::int64_t kElementsAtOnce = 1 << 15;

// Calls body(begin, end) for parts of [0, count): several threads on a CPU, all at once elsewhere.
void for_elements(const at::Tensor& like, const std::function<void(std::int64_t, std::int64_t)>& body) {
  const std::int64_t count = like.numel();
  if (!like.device().is_cpu()) return body(0, count);
  for_rows(count, kElementsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_gradients; // not inherited by other threads
    const c10::impl::ExcludeDispatchKeyGuard as_written(c10::autocast_dispatch_keyset);
    for (std::int64_t i = begin; i < end; i += kElementsAtOnce)
      body(i, std::min(end, i + kElementsAtOnce));
  });
}

} // namespace

at::Tensor quick_gelu_of(const at::Tensor& x) {
  VLREID_ASSERT(x.is_contiguous());
  at::Tensor value = at::empty_like(x);
  const at::Tensor from = x.view(-1), to = value.view(-1);
  for_elements(x, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor part = from.slice(0, begin, end);
    at::Tensor out = to.slice(0, begin, end);
    at::mul_out(out, part, at::mul(part, kQuickGeluSlope).sigmoid_());
  });
  return value;
}

at::Tensor quick_gelu_backward_(at::Tensor& gradient, const at::Tensor& x, bool wants_value) {
  VLREID_ASSERT(gradient.is_contiguous() && x.is_contiguous() && gradient.sizes() == x.sizes());
  at::Tensor value = wants_value ? at::empty_like(x) : at::Tensor();
  const at::Tensor from = x.view(-1), flat = gradient.view(-1);
  for_elements(x, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor part = from.slice(0, begin, end);
    const at::Tensor s = at::mul(part, kQuickGeluSlope).sigmoid_();
    at::Tensor given = flat.slice(0, begin, end);
    at::Tensor through = at::mul(given, part); // what reaches the sigmoid
    at::sigmoid_backward_out(through, through, s).mul_(kQuickGeluSlope);
    given.mul_(s).add_(through);
    if (!wants_value) return;
    at::Tensor out = value.view(-1).slice(0, begin, end);
    at::mul_out(out, part, s);
  });
  return value;
}

at::Tensor keyed_dropout(const at::Tensor& x, DropoutKey key) {
  VLREID_ASSERT(x.dim() == 2 && has_loop(x, x.scalar_type()) && key.probability >= 0 && key.probability < 1);
  at::Tensor out = at::empty_like(x);
  if (x.scalar_type() == at::kFloat)
    dropout_on_cpu<float>(x, out, key);
  else
    dropout_on_cpu<at::BFloat16>(x, out, key);
  return out;
}

QuantisedRows quantise_rows(const at::Tensor& x, int half_range) {
  VLREID_ASSERT(x.dim() == 2 && x.is_contiguous() && x.device().is_cpu() && half_range > 0 &&
                half_range < 128);
  QuantisedRows rows{.values = at::empty(x.sizes(), at::kByte),
                     .scales = at::empty({x.size(0), 1}, at::kFloat)};
  static const RowLoop<QuantiseTask> loop = quantise_loop<QuantiseTask>();
  run(loop,
      QuantiseTask{.x = x.const_data_ptr<float>(),
                   .values = rows.values.mutable_data_ptr<std::uint8_t>(),
                   .scales = rows.scales.mutable_data_ptr<float>(),
                   .width = x.size(1),
                   .half_range = half_range},
      x.size(0));
  return rows;
}

} // namespace vlreid
