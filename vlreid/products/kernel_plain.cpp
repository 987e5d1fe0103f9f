#include "vlreid/products/kernel_parts.h"

namespace vlreid {
namespace {

constexpr int kRows = 2;

// Pairs of 16-bit integers.
struct PairDot {
  using Sums [[gnu::vector_size(16)]] = std::int32_t;
  using Line = Sums;
  static VLREID_INLINE Sums everywhere(const unsigned char* cell) {
    std::int32_t x;
    __builtin_memcpy(&x, cell, sizeof x);
    return Sums{x, x, x, x};
  }
  static VLREID_INLINE Sums add(Sums sums, Sums a, Line b) {
    return sums + ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
  }
};

constexpr ProductKernel float_kernel(Cell cell) {
  return {.name = "plain",
          .a = cell,
          .b = cell,
          .rows = kRows,
          .panels = 1,
          .lines_at_once = 256,
          .tile = tile<FloatDot<4>, kRows, 1>,
          .pack = cell == Cell::f32 ? pack_interleaved<Cell::f32, kRows>
                                    : pack_interleaved<Cell::bf16_in_f32, kRows>,
          .fill = cell == Cell::f32 ? pack_interleaved<Cell::f32, kPanelWidth>
                                    : pack_interleaved<Cell::bf16_in_f32, kPanelWidth>,
          .finish = finish<false>,
          .largest = largest_magnitude};
}

} // namespace

const ProductKernel& plain_f32_kernel() {
  static constexpr ProductKernel kKernel = float_kernel(Cell::f32);
  return kKernel;
}

const ProductKernel& plain_bf16_kernel() {
  static constexpr ProductKernel kKernel = float_kernel(Cell::bf16_in_f32);
  return kKernel;
}

const ProductKernel& plain_int8_kernel() {
  static constexpr ProductKernel kKernel{.name = "plain",
                                         .a = Cell::s16x2,
                                         .b = Cell::s16x2,
                                         .rows = kRows,
                                         .panels = 1,
                                         .lines_at_once = 256,
                                         .tile = tile<PairDot, kRows, 1>,
                                         .pack = pack_interleaved<Cell::s16x2, kRows>,
                                         .fill = pack_interleaved<Cell::s16x2, kPanelWidth>,
                                         .finish = finish<true>,
                                         .largest = largest_magnitude};
  return kKernel;
}

} // namespace vlreid
