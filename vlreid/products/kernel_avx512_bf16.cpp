// The tile of kernel_avx512.cpp with dot products of pairs of bfloat16 (AVX512_BF16).
#ifndef VLREID_EMULATED_INTRINSICS
#include <immintrin.h>
#endif

#include "vlreid/products/kernel_parts.h"

namespace vlreid {
namespace {

constexpr int kRows = 14, kPanels = 2;

struct Bf16Dot {
  using Sums = __m512;
  using Line = __m512i;
  static VLREID_INLINE __m512i everywhere(const unsigned char* cell) {
    int x;
    __builtin_memcpy(&x, cell, sizeof x);
    return _mm512_set1_epi32(x);
  }
  static VLREID_INLINE Sums add(Sums sums, __m512i a, Line b) {
    return _mm512_dpbf16_ps(sums, reinterpret_cast<__m512bh&>(a), reinterpret_cast<__m512bh&>(b));
  }
};

} // namespace

const ProductKernel& avx512_bf16_kernel() {
  static constexpr ProductKernel kKernel{.name = "avx512_bf16",
                                         .a = Cell::bf16x2,
                                         .b = Cell::bf16x2,
                                         .rows = kRows,
                                         .panels = kPanels,
                                         .lines_at_once = 160,
                                         .tile = tile<Bf16Dot, kRows, kPanels>,
                                         .pack = pack_interleaved<Cell::bf16x2, kRows>,
                                         .fill = pack_interleaved<Cell::bf16x2, kPanelWidth>,
                                         .fill_transposed = pack_columns_of_bf16,
                                         .finish = finish<false>,
                                         .largest = largest_magnitude};
  return kKernel;
}

} // namespace vlreid
