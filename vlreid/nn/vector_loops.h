// Loops compiled several times over, for what the processor may have; the widest that it knows runs. Internal
// to the sources of this folder that include it: everything has internal linkage or is inlined.
#pragma once

#include <bit>
#include <cstdint>

#define VLREID_INLINE inline __attribute__((always_inline))

namespace vlreid {

inline constexpr int kLanes = 16; // floats of one AVX-512 register, two of AVX2
inline constexpr float kRounding =
    12582912.0F; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits

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

// Rounded to the nearest, ties to even; NaN stays one.
VLREID_INLINE std::uint16_t bf16_of_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = bits + 0x7FFFU + ((bits >> 16) & 1U), nan = bits | 0x00400000U;
  return static_cast<std::uint16_t>(((bits & 0x7FFFFFFFU) > 0x7F800000U ? nan : rounded) >> 16);
}

// In halves: a chain of sixteen sums, each waiting for the one before, takes as long as a row.
VLREID_INLINE float total(float* lanes) {
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane)
      lanes[lane] += lanes[lane + half];
  return lanes[0];
}

template <typename Task>
using RowLoop = void (*)(const Task&, std::int64_t, std::int64_t);

} // namespace vlreid

// VLREID_LOOPS(name, body) defines name_loop<Task>(): body(task, begin, end) for this processor.
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
