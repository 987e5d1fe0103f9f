// The tile of kernel_avx512.cpp with dot products of four 8-bit numbers (AVX512_VNNI).
#ifndef VLREID_EMULATED_INTRINSICS
#include <immintrin.h>
#endif

#include "vlreid/products/kernel_parts.h"

namespace vlreid {
namespace {

constexpr int kRows = 14, kPanels = 2;

struct VnniDot {
  using Sums = __m512i;
  using Line = __m512i;
  static VLREID_INLINE __m512i everywhere(const unsigned char* cell) {
    int x;
    __builtin_memcpy(&x, cell, sizeof x);
    return _mm512_set1_epi32(x);
  }
  static VLREID_INLINE Sums add(Sums sums, __m512i a, Line b) { return _mm512_dpbusd_epi32(sums, a, b); }
};

} // namespace

const ProductKernel& avx512_vnni_kernel() {
  static constexpr ProductKernel kKernel{.name = "avx512_vnni",
                                         .a = Cell::u8x4,
                                         .b = Cell::s8x4,
                                         .rows = kRows,
                                         .panels = kPanels,
                                         .lines_at_once = 160,
                                         .tile = tile<VnniDot, kRows, kPanels>,
                                         .pack = pack_interleaved<Cell::u8x4, kRows>,
                                         .fill = pack_interleaved<Cell::s8x4, kPanelWidth>,
                                         .finish = finish<true>,
                                         .largest = largest_magnitude};
  return kKernel;
}

} // namespace vlreid
