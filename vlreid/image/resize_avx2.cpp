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

// One output pixel of two rows, as R G B x in 32 bits a lane. `pairs` is half the number of taps.
VLREID_AVX2 inline __m256i make_pixel(const std::int32_t* packed, int pairs, const std::uint8_t* upper,
                                      const std::uint8_t* lower) {
  // R R, G G, B B of pixels 0 and 1, and of 2 and 3, widened to 16 bits.
  const __m256i even =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m256i odd =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  Sums sums = zero_sums();
  for (int i = 0; i < pairs; i += 2, packed += 4, upper += 12, lower += 12) {
    const __m256i bytes = load_two_rows(upper, lower);
    add_taps(sums, _mm256_shuffle_epi8(bytes, even), _mm256_set1_epi32(packed[0]),
             _mm256_set1_epi32(packed[1]));
    if (i + 1 < pairs)
      add_taps(sums, _mm256_shuffle_epi8(bytes, odd), _mm256_set1_epi32(packed[2]),
               _mm256_set1_epi32(packed[3]));
  }
  return finish(sums);
}

// Two rows, four pixels of each at a time. kPairs is the number of tap pairs when it is known (the loop above
// vanishes), else 0.
template <int kPairs>
VLREID_AVX2 void horizontal_rows(const PassWeights& pass, const std::uint8_t* upper,
                                 const std::uint8_t* lower, std::uint8_t* upper_out,
                                 std::uint8_t* lower_out) {
  const __m256i squeeze =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
  const int pairs = kPairs > 0 ? kPairs : pass.taps / 2;
  const std::int32_t* packed = pass.packed.data();
  const std::int32_t* first = pass.first.data();
  for (int x = 0; x < pass.output; x += kPixelsAtOnce, first += kPixelsAtOnce) {
    __m256i pixels[kPixelsAtOnce];
    for (int i = 0; i < kPixelsAtOnce; ++i, packed += 2 * pairs) {
      const std::ptrdiff_t offset = std::ptrdiff_t{3} * first[i];
      pixels[i] = make_pixel(packed, pairs, upper + offset, lower + offset);
    }
    const __m256i left = _mm256_packs_epi32(pixels[0], pixels[1]);
    const __m256i right = _mm256_packs_epi32(pixels[2], pixels[3]);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_packus_epi16(left, right), squeeze);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(upper_out + x * 3), _mm256_castsi256_si128(bytes));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(lower_out + x * 3), _mm256_extracti128_si256(bytes, 1));
  }
}

VLREID_AVX2 void horizontal(const PassWeights& pass, const RowBlock& block) {
  const auto rows = pass.taps == 2   ? horizontal_rows<1>
                    : pass.taps == 4 ? horizontal_rows<2>
                                     : horizontal_rows<0>;
  for (int y = 0; y < block.rows; y += 2) {
    const int lower = std::min(y + 1, block.rows - 1);
    rows(pass, block.source + y * block.source_stride, block.source + lower * block.source_stride,
         block.out + y * block.out_stride, block.out + lower * block.out_stride);
  }
}

// 32 neighbouring bytes of one output row.
VLREID_AVX2 inline void vertical_bytes(const std::int32_t* packed, int reach, const std::uint8_t* source,
                                       std::size_t stride, std::uint8_t* out) {
  const __m256i zero = _mm256_setzero_si256();
  Sums sums[4] = {zero_sums(), zero_sums(), zero_sums(), zero_sums()};
  for (int i = 0; i < reach; i += 2, source += 2 * stride) {
    const std::uint8_t* next = i + 1 < reach ? source + stride : source; // a tap too many has weight 0
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
    vertical_bytes(&pass.packed[row * pass.taps], pass.reach, rows + x, stride, out + x);
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
