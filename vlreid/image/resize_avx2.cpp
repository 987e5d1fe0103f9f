#include "vlreid/image/resize_kernels.h"

#if defined(__x86_64__)

#include <algorithm>
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

// Five RGB pixels and a byte of each of two rows: the upper row in lane 0, the lower in lane 1.
VLREID_AVX2 inline __m256i load_two_rows(const std::uint8_t* upper, const std::uint8_t* lower) {
  const __m256i lane = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(upper)));
  return _mm256_inserti128_si256(lane, _mm_loadu_si128(reinterpret_cast<const __m128i*>(lower)), 1);
}

constexpr int kRowsAtOnce = 4; // that share the weights

struct FourRows {
  const std::uint8_t* source[kRowsAtOnce];
  std::uint8_t* out[kRowsAtOnce];
};

struct FourPixels {
  __m256i upper, lower; // of rows 0 and 1, of rows 2 and 3
};

// One output pixel of each row, as R G B x in 32 bits a lane, from the input pixels at `offset` bytes.
// `pairs` is half the number of taps.
VLREID_AVX2 inline FourPixels make_pixels(const std::int32_t* packed, int pairs, const FourRows& rows,
                                          std::ptrdiff_t offset) {
  // R R, G G, B B of pixels 0 and 1, and of 2 and 3, widened to 16 bits.
  const __m256i even =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m256i odd =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  Sums upper = zero_sums(), lower = zero_sums();
#pragma GCC unroll 8
  for (int i = 0; i < pairs; ++i) {
    const std::ptrdiff_t place = offset + i / 2 * 12;
    const __m256i order = i % 2 == 0 ? even : odd;
    const __m256i low = _mm256_set1_epi32(packed[2 * i]), high = _mm256_set1_epi32(packed[2 * i + 1]);
    const __m256i a = load_two_rows(rows.source[0] + place, rows.source[1] + place);
    const __m256i b = load_two_rows(rows.source[2] + place, rows.source[3] + place);
    add_taps(upper, _mm256_shuffle_epi8(a, order), low, high);
    add_taps(lower, _mm256_shuffle_epi8(b, order), low, high);
  }
  return {finish(upper), finish(lower)};
}

VLREID_AVX2 inline void store(__m256i pixels, std::uint8_t* upper, std::uint8_t* lower) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(upper), _mm256_castsi256_si128(pixels));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(lower), _mm256_extracti128_si256(pixels, 1));
}

// Four pixels of each row at a time. kPairs is the number of tap pairs when it is known (the loop above
// vanishes), else 0.
template <int kPairs>
VLREID_AVX2 void horizontal_rows(const PassWeights& pass, const FourRows& rows) {
  const __m256i squeeze =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const int pairs = kPairs > 0 ? kPairs : pass.taps / 2;
  const std::int32_t* packed = pass.packed.data();
  const std::int32_t* first = pass.first.data();
  for (int x = 0; x < pass.output; x += kPixelsAtOnce, first += kPixelsAtOnce) {
    FourPixels pixels[kPixelsAtOnce];
#pragma GCC unroll 4
    for (int i = 0; i < kPixelsAtOnce; ++i, packed += 2 * pairs)
      pixels[i] = make_pixels(packed, pairs, rows, std::ptrdiff_t{3} * first[i]);
    const auto bytes = [&](__m256i FourPixels::*half) VLREID_AVX2 {
      const __m256i left = _mm256_packs_epi32(pixels[0].*half, pixels[1].*half);
      const __m256i right = _mm256_packs_epi32(pixels[2].*half, pixels[3].*half);
      return _mm256_shuffle_epi8(_mm256_packus_epi16(left, right), squeeze);
    };
    store(bytes(&FourPixels::upper), rows.out[0] + x * 3, rows.out[1] + x * 3);
    store(bytes(&FourPixels::lower), rows.out[2] + x * 3, rows.out[3] + x * 3);
  }
}

VLREID_AVX2 void horizontal(const PassWeights& pass, const RowBlock& block) {
  static constexpr decltype(&horizontal_rows<0>) kByPairs[] = {
      horizontal_rows<0>, horizontal_rows<1>, horizontal_rows<2>, horizontal_rows<3>,
      horizontal_rows<4>, horizontal_rows<5>, horizontal_rows<6>};
  const std::size_t pairs = static_cast<std::size_t>(pass.taps) / 2;
  const auto run = kByPairs[pairs < std::size(kByPairs) ? pairs : 0];
  for (int y = 0; y < block.rows; y += kRowsAtOnce) {
    FourRows rows;
    for (int i = 0; i < kRowsAtOnce; ++i) {
      const int row = std::min(y + i, block.rows - 1);
      rows.source[i] = block.source + row * block.source_stride;
      rows.out[i] = block.out + row * block.out_stride;
    }
    run(pass, rows);
  }
}

// 32 neighbouring bytes of one output row, from `reach` input rows. kPairs as above.
template <int kPairs>
VLREID_AVX2 inline void vertical_bytes(const std::int32_t* packed, int reach, const std::uint8_t* source,
                                       std::size_t stride, std::uint8_t* out) {
  const int pairs = kPairs > 0 ? kPairs : (reach + 1) / 2;
  const __m256i zero = _mm256_setzero_si256();
  Sums sums[4] = {zero_sums(), zero_sums(), zero_sums(), zero_sums()};
#pragma GCC unroll 8
  for (int i = 0; i < pairs; ++i, source += 2 * stride) {
    const std::uint8_t* next = 2 * i + 1 < reach ? source + stride : source; // a tap too many has weight 0
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(next));
    const __m256i low = _mm256_set1_epi32(packed[2 * i]);
    const __m256i high = _mm256_set1_epi32(packed[2 * i + 1]);
    const __m256i first = _mm256_unpacklo_epi8(a, b);
    add_taps(sums[0], _mm256_unpacklo_epi8(first, zero), low, high);
    add_taps(sums[1], _mm256_unpackhi_epi8(first, zero), low, high);
    const __m256i second = _mm256_unpackhi_epi8(a, b);
    add_taps(sums[2], _mm256_unpacklo_epi8(second, zero), low, high);
    add_taps(sums[3], _mm256_unpackhi_epi8(second, zero), low, high);
  }
  const __m256i left = _mm256_packs_epi32(finish(sums[0]), finish(sums[1]));
  const __m256i right = _mm256_packs_epi32(finish(sums[2]), finish(sums[3]));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_packus_epi16(left, right));
}

template <int kPairs>
VLREID_AVX2 void vertical_row(const PassWeights& pass, int y, const std::uint8_t* source, std::size_t stride,
                              std::size_t bytes, std::uint8_t* out) {
  const std::size_t row = static_cast<std::size_t>(y);
  const std::int32_t* packed = &pass.packed[row * pass.taps];
  const int reach = pass.reach;
  const std::uint8_t* rows = source + static_cast<std::size_t>(pass.first[row]) * stride;
  std::size_t x = 0;
  for (; x + 32 <= bytes; x += 32)
    vertical_bytes<kPairs>(packed, reach, rows + x, stride, out + x);
  if (x < bytes) plain_resize_kernels().vertical(pass, y, source + x, stride, bytes - x, out + x);
}

VLREID_AVX2 void vertical(const PassWeights& pass, int y, const std::uint8_t* source, std::size_t stride,
                          std::size_t bytes, std::uint8_t* out) {
  static constexpr decltype(&vertical_row<0>) kByPairs[] = {vertical_row<0>, vertical_row<1>, vertical_row<2>,
                                                            vertical_row<3>, vertical_row<4>, vertical_row<5>,
                                                            vertical_row<6>};
  const std::size_t pairs = (static_cast<std::size_t>(pass.reach) + 1) / 2;
  kByPairs[pairs < std::size(kByPairs) ? pairs : 0](pass, y, source, stride, bytes, out);
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
