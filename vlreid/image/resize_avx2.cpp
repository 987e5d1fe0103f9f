#include "vlreid/image/resize_kernels.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cstring>
#include <immintrin.h>

// Compiled for AVX2 function by function, so that the rest of the program runs on any x86-64.
#define VLREID_AVX2 __attribute__((target("avx2")))

namespace vlreid {
namespace {

// Running sums of low and high products; their true sum fits 32 bits, and addition modulo 2^32 gives it
// exactly.
struct Sums {
  __m256i low;
  __m256i high;
};

VLREID_AVX2 inline Sums zero_sums() {
  return {_mm256_set1_epi32(kWeightHalf), _mm256_setzero_si256()};
}

// `pixels` holds the values of two taps side by side, as 16-bit pairs; `packed` points to {low, high} of the
// same two taps.
VLREID_AVX2 inline void add_taps(Sums& sums, __m256i pixels, __m256i low, __m256i high) {
  sums.low = _mm256_add_epi32(sums.low, _mm256_madd_epi16(pixels, low));
  sums.high = _mm256_add_epi32(sums.high, _mm256_madd_epi16(pixels, high));
}

VLREID_AVX2 inline __m256i finish(const Sums& sums) {
  return _mm256_srai_epi32(_mm256_add_epi32(sums.low, _mm256_slli_epi32(sums.high, kLowBits)), kWeightBits);
}

// Eight bytes (two RGB pixels and two bytes of the next) of each of two rows, one row a lane.
VLREID_AVX2 inline __m256i load_two_rows(const std::uint8_t* upper, const std::uint8_t* lower) {
  long long lower_bytes;
  std::memcpy(&lower_bytes, lower, sizeof lower_bytes);
  const __m128i upper_lane = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(upper));
  return _mm256_blend_epi32(_mm256_castsi128_si256(upper_lane), _mm256_set1_epi64x(lower_bytes), 0xf0);
}

VLREID_AVX2 inline void store_pixel(std::uint8_t* out, __m128i bytes) {
  const int pixel = _mm_cvtsi128_si32(bytes);
  std::memcpy(out, &pixel, sizeof pixel);
}

// Two source rows at a time: lane 0 is the upper, lane 1 the lower; in each the pairs R R, G G, B B of two
// neighbouring pixels.
VLREID_AVX2 void horizontal_rows(const PassWeights& pass, const std::uint8_t* upper,
                                 const std::uint8_t* lower, std::uint8_t* upper_out,
                                 std::uint8_t* lower_out) {
  const __m256i pairs =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const std::int32_t* packed = pass.packed.data();
  for (int x = 0; x < pass.output; ++x, packed += pass.taps) {
    std::size_t offset = static_cast<std::size_t>(pass.first[x]) * 3;
    Sums sums = zero_sums();
    for (int i = 0; i < pass.count[x]; i += 2, offset += 6) {
      const __m256i pixels = _mm256_shuffle_epi8(load_two_rows(upper + offset, lower + offset), pairs);
      add_taps(sums, pixels, _mm256_set1_epi32(packed[i]), _mm256_set1_epi32(packed[i + 1]));
    }
    __m256i result = finish(sums);
    result = _mm256_packs_epi32(result, result);
    result = _mm256_packus_epi16(result, result);
    store_pixel(upper_out + x * 3, _mm256_castsi256_si128(result));
    store_pixel(lower_out + x * 3, _mm256_extracti128_si256(result, 1));
  }
}

VLREID_AVX2 void horizontal(const PassWeights& pass, const RowBlock& block) {
  for (int y = 0; y < block.rows; y += 2) {
    const int lower = std::min(y + 1, block.rows - 1);
    horizontal_rows(pass, block.source + y * block.source_stride, block.source + lower * block.source_stride,
                    block.out + y * block.out_stride, block.out + lower * block.out_stride);
  }
}

// 32 neighbouring bytes of one output row.
VLREID_AVX2 inline void vertical_bytes(const std::int32_t* packed, int count, const std::uint8_t* source,
                                       std::size_t stride, std::uint8_t* out) {
  const __m256i zero = _mm256_setzero_si256();
  Sums sums[4] = {zero_sums(), zero_sums(), zero_sums(), zero_sums()};
  for (int i = 0; i < count; i += 2, source += 2 * stride) {
    const std::uint8_t* next = i + 1 < count ? source + stride : source; // a tap too many has weight 0
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(next));
    const __m256i low = _mm256_set1_epi32(packed[i]);
    const __m256i high = _mm256_set1_epi32(packed[i + 1]);
    const __m256i first = _mm256_unpacklo_epi8(a, b);
    const __m256i second = _mm256_unpackhi_epi8(a, b);
    add_taps(sums[0], _mm256_unpacklo_epi8(first, zero), low, high);
    add_taps(sums[1], _mm256_unpackhi_epi8(first, zero), low, high);
    add_taps(sums[2], _mm256_unpacklo_epi8(second, zero), low, high);
    add_taps(sums[3], _mm256_unpackhi_epi8(second, zero), low, high);
  }
  const __m256i left = _mm256_packs_epi32(finish(sums[0]), finish(sums[1]));
  const __m256i right = _mm256_packs_epi32(finish(sums[2]), finish(sums[3]));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_packus_epi16(left, right));
}

VLREID_AVX2 void vertical(const PassWeights& pass, int y, const std::uint8_t* source, std::size_t stride,
                          std::size_t bytes, std::uint8_t* out) {
  const std::size_t row = static_cast<std::size_t>(y);
  const std::uint8_t* rows = source + static_cast<std::size_t>(pass.first[row]) * stride;
  std::size_t x = 0;
  for (; x + 32 <= bytes; x += 32)
    vertical_bytes(&pass.packed[row * pass.taps], pass.count[row], rows + x, stride, out + x);
  if (x < bytes) plain_resize_kernels().vertical(pass, y, source + x, stride, bytes - x, out + x);
}

} // namespace

ResizeKernels best_resize_kernels() {
  if (__builtin_cpu_supports("avx2")) return {.horizontal = horizontal, .vertical = vertical};
  return plain_resize_kernels();
}

} // namespace vlreid

#else

namespace vlreid {

ResizeKernels best_resize_kernels() {
  return plain_resize_kernels();
}

} // namespace vlreid

#endif
