#include "vlreid/retrieval/kernels.h"

#include <algorithm>
#include <cstring>

// Not under the thread sanitiser: the choice between the clones runs before its library is ready, and
// crashes.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define VLREID_FOR_EACH_CPU __attribute__((target_clones("avx2", "default")))
#else
#define VLREID_FOR_EACH_CPU
#endif

namespace vlreid {
namespace {

constexpr std::int64_t kLanes = 8;
using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
using Longs = std::int64_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));

} // namespace

// Unaligned vector access; a macro, because a function that takes vectors has another calling convention on
// each CPU.
#define LOAD(name, address)                                                                                  \
  Floats name;                                                                                               \
  std::memcpy(&name, address, sizeof(name))
#define ANY(mask) (((mask)[0] | (mask)[1] | (mask)[2] | (mask)[3]) != 0)

VLREID_FOR_EACH_CPU
float dot(const float* a, const float* b, std::int64_t count) {
  Floats sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    for (int part = 0; part < 4; ++part) {
      LOAD(x, a + i + part * kLanes);
      LOAD(y, b + i + part * kLanes);
      sums[part] += x * y;
    }
  }
  const Floats total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float sum = 0;
  for (int lane = 0; lane < kLanes; ++lane)
    sum += total[lane];
  for (; i < count; ++i)
    sum += a[i] * b[i];
  return sum;
}

VLREID_FOR_EACH_CPU
void divide(const float* in, float divisor, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i)
    out[i] = in[i] / divisor;
}

VLREID_FOR_EACH_CPU
void products_to_distances(const float* products, float query_norm, const float* gallery_norms,
                           std::int64_t count, float* distances) {
  for (std::int64_t i = 0; i < count; ++i) {
    distances[i] = (query_norm + gallery_norms[i]) - 2 * products[i];
  }
}

VLREID_FOR_EACH_CPU
void count_below(const float* values, std::int64_t count, const float (&thresholds)[kThresholds],
                 std::int64_t (&counts)[kThresholds]) {
  Floats limits[kThresholds];
  Ints found[kThresholds] = {};
  for (int t = 0; t < kThresholds; ++t)
    limits[t] = thresholds[t] - Floats{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    LOAD(block, values + i);
    for (int t = 0; t < kThresholds; ++t)
      found[t] -= block < limits[t]; // true is -1
  }
  for (int t = 0; t < kThresholds; ++t) {
    for (int lane = 0; lane < kLanes; ++lane)
      counts[t] += found[t][lane];
    for (std::int64_t rest = i; rest < count; ++rest)
      counts[t] += values[rest] < thresholds[t] ? 1 : 0;
  }
}

VLREID_FOR_EACH_CPU
std::int64_t next_chunk_within(const float* values, std::int64_t begin, std::int64_t count, float limit) {
  const Floats limits = limit - Floats{};
  for (; begin + kChunk <= count; begin += kChunk) {
    Ints within = {};
    for (int part = 0; part < 4; ++part) {
      LOAD(block, values + begin + part * kLanes);
      within |= block <= limits;
    }
    const Longs mask = reinterpret_cast<Longs>(within);
    if (ANY(mask)) return begin;
  }
  for (std::int64_t i = begin; i < count; ++i) {
    if (values[i] <= limit) return begin;
  }
  return count;
}

VLREID_FOR_EACH_CPU
float update_maxima(const float* values, std::int64_t count, float row_max, float* column_max) {
  for (std::int64_t i = 0; i < count; ++i)
    column_max[i] = column_max[i] < values[i] ? values[i] : column_max[i];
  Floats largest = row_max - Floats{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    LOAD(block, values + i);
    largest = largest < block ? block : largest;
  }
  for (int lane = 0; lane < kLanes; ++lane)
    row_max = std::max(row_max, largest[lane]);
  for (; i < count; ++i)
    row_max = std::max(row_max, values[i]);
  return row_max;
}

VLREID_FOR_EACH_CPU
std::int64_t next_chunk_within(const float* values, std::int64_t begin, std::int64_t count, float row_limit,
                               const float* column_limits) {
  const Floats row_limits = row_limit - Floats{};
  for (; begin + kChunk <= count; begin += kChunk) {
    Ints within = {};
    for (int part = 0; part < 4; ++part) {
      LOAD(block, values + begin + part * kLanes);
      LOAD(limits, column_limits + begin + part * kLanes);
      within |= (block <= row_limits) | (block <= limits);
    }
    const Longs mask = reinterpret_cast<Longs>(within);
    if (ANY(mask)) return begin;
  }
  for (std::int64_t i = begin; i < count; ++i) {
    if (values[i] <= row_limit || values[i] <= column_limits[i]) return begin;
  }
  return count;
}

VLREID_FOR_EACH_CPU
void mix_distances(const float* shared, float largest, float jaccard_share, float original_share,
                   std::int64_t count, float* final_distances) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float jaccard = 1 - shared[i] / (2 - shared[i]);
    final_distances[i] = jaccard * jaccard_share + final_distances[i] / largest * original_share;
  }
}

} // namespace vlreid
