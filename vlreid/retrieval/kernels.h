// The inner loops of retrieval. Each is compiled for the plain instruction set and for AVX2, and chosen when
// the program starts. No allocation, no state, no checks: callers guarantee the sizes.
#pragma once

#include <cstdint>

namespace vlreid {

// Sum of a[i] * b[i].
float dot(const float* a, const float* b, std::int64_t count);

// out[i] = in[i] / divisor; in place allowed.
void divide(const float* in, float divisor, std::int64_t count, float* out);

// distances[i] = (query_norm + gallery_norms[i]) - 2 * products[i]: inner products become squared distances;
// in place allowed.
void products_to_distances(const float* products, float query_norm, const float* gallery_norms,
                           std::int64_t count, float* distances);

// How many thresholds count_below() compares at once.
inline constexpr int kThresholds = 8;

// counts[t] += number of values < thresholds[t].
void count_below(const float* values, std::int64_t count, const float (&thresholds)[kThresholds],
                 std::int64_t (&counts)[kThresholds]);

// Index of the first value <= limit at or after `begin`, rounded down to a multiple of kChunk counted from
// `begin`; `count` when there is none. The caller looks at the kChunk values from there.
inline constexpr std::int64_t kChunk = 32;
std::int64_t next_chunk_within(const float* values, std::int64_t begin, std::int64_t count, float limit);

// One row of a symmetric tile: updates the largest value of the row (returned) and of each column, and looks
// for values that are within the row's limit or their column's limit, as next_chunk_within().
float update_maxima(const float* values, std::int64_t count, float row_max, float* column_max);
std::int64_t next_chunk_within(const float* values, std::int64_t begin, std::int64_t count, float row_limit,
                               const float* column_limits);

// final[g] = (1 - lambda) * (1 - shared[g] / (2 - shared[g])) + lambda * final[g] / largest
void mix_distances(const float* shared, float largest, float jaccard_share, float original_share,
                   std::int64_t count, float* final_distances);

} // namespace vlreid
