#include "vlreid/transforms/noise.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace vlreid {
namespace {

// Written for the compiler to vectorise: 32-bit numbers only, eight of which fill a register of AVX2.
constexpr std::size_t kLanes = 8;

// Numbers that one step makes: four words of each lane.
constexpr std::size_t kStep = 4 * kLanes;

#define VLREID_INLINE [[gnu::always_inline]] inline

using Words = std::array<std::uint32_t, 4>;

// Threefry 4x32 passes the known batteries of tests from 12 rounds on (Salmon et al. 2011, table 2). It needs
// no product, unlike Philox, whose 64-bit products compilers do not vectorise well.
VLREID_INLINE Words threefry(const std::array<std::uint32_t, 5>& key, std::uint32_t counter) {
  constexpr int kRounds = 12, kRoundsPerKey = 4;
  constexpr int kTurns[8][2] = {{10, 26}, {11, 21}, {13, 27}, {23, 5}, {6, 20}, {17, 11}, {25, 10}, {18, 20}};
  Words x = {counter + key[0], key[1], key[2], key[3]};
#pragma GCC unroll 12
  for (int round = 0; round < kRounds; ++round) {
    std::uint32_t& second = x[round % 2 == 0 ? 1 : 3];
    std::uint32_t& fourth = x[round % 2 == 0 ? 3 : 1];
    x[0] += second;
    second = std::rotl(second, kTurns[round % 8][0]) ^ x[0];
    x[2] += fourth;
    fourth = std::rotl(fourth, kTurns[round % 8][1]) ^ x[2];
    if (round % kRoundsPerKey != kRoundsPerKey - 1) continue;
    const std::uint32_t times = static_cast<std::uint32_t>((round + 1) / kRoundsPerKey);
#pragma GCC unroll 4
    for (std::uint32_t i = 0; i < 4; ++i)
      x[i] += key[(times + i) % 5];
    x[3] += times;
  }
  return x;
}

// Four words of key and their parity with a constant.
std::array<std::uint32_t, 5> expand_key(std::uint64_t key) {
  const auto low = static_cast<std::uint32_t>(key), high = static_cast<std::uint32_t>(key >> 32);
  return {low, high, 0, 0, 0x1BD11BDAu ^ low ^ high};
}

// ln(u) for u in (0, 1]: u = 2^e m with m in [1/sqrt(2), sqrt(2)), ln m = 2 atanh((m-1)/(m+1)), whose series
// is short for |s| < 0.172 (the next term is below 1e-9).
VLREID_INLINE float natural_log(float u) {
  constexpr std::uint32_t kRootHalf = 0x3f3504f3u; // bits of sqrt(1/2)
  constexpr std::uint32_t kMantissa = 0x007fffffu;
  const std::uint32_t shifted = std::bit_cast<std::uint32_t>(u) - kRootHalf;
  const float exponent = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  const float m = std::bit_cast<float>((shifted & kMantissa) + kRootHalf);
  const float s = (m - 1.0f) / (m + 1.0f);
  const float z = s * s;
  const float series = 1.0f + z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
  return exponent * std::numbers::ln2_v<float> + 2.0f * s * series;
}

// Two independent standard normal numbers from two random words (Box-Muller). The angle is one of four
// quarters, by two bits, and a place in [-pi/4, pi/4) of it, by the others; there the series of sine and
// cosine are short.
VLREID_INLINE void normal_pair(std::uint32_t length_bits, std::uint32_t angle_bits, float& first,
                               float& second) {
  const float u = static_cast<float>(static_cast<std::int32_t>(length_bits >> 8) + 1) * 0x1p-24f;
  const float radius = std::sqrt(-2.0f * natural_log(u));
  const float a = static_cast<float>(static_cast<std::int32_t>(angle_bits << 2)) *
                  (std::numbers::pi_v<float> / 2 * 0x1p-32f);
  const float z = a * a;
  const float sine =
      a * (1.0f + z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)))));
  const float cosine =
      1.0f +
      z * (-1.0f / 2 + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320 + z * (-1.0f / 3628800)))));
  const bool is_upright = (angle_bits >> 31) != 0;
  const float signed_radius =
      std::bit_cast<float>(std::bit_cast<std::uint32_t>(radius) ^ ((angle_bits << 1) & 0x80000000u));
  first = signed_radius * (is_upright ? sine : cosine);
  second = signed_radius * (is_upright ? cosine : sine);
}

VLREID_INLINE void make_step(const std::array<std::uint32_t, 5>& key, std::size_t step, float* out) {
  for (std::size_t i = 0; i < kLanes; ++i) {
    const Words words = threefry(key, static_cast<std::uint32_t>(step * kLanes + i));
    normal_pair(words[0], words[1], out[i], out[kLanes + i]);
    normal_pair(words[2], words[3], out[2 * kLanes + i], out[3 * kLanes + i]);
  }
}

VLREID_INLINE void fill(std::uint64_t seed, std::span<float> out) {
  const std::array<std::uint32_t, 5> key = expand_key(seed);
  const std::size_t whole = out.size() / kStep;
  std::array<float, kStep> made;
  for (std::size_t step = 0; step < whole; ++step) {
    make_step(key, step, made.data());
    std::copy_n(made.begin(), kStep, out.data() + step * kStep);
  }
  make_step(key, whole, made.data());
  std::copy_n(made.begin(), out.size() % kStep, out.data() + whole * kStep);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void fill_normal_avx2(std::uint64_t key, std::span<float> out) {
  fill(key, out);
}
#endif

} // namespace

void internal::fill_normal_plain(std::uint64_t key, std::span<float> out) {
  fill(key, out);
}

void fill_normal(std::uint64_t key, std::span<float> out) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return fill_normal_avx2(key, out);
#endif
  internal::fill_normal_plain(key, out);
}

} // namespace vlreid
