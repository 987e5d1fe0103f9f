// 28 sums, two registers of B; A is broadcast by the multiplication itself.
#include "vlreid/products/kernel_parts.h"

namespace vlreid {
namespace {

constexpr int kRows = 14, kPanels = 2;

constexpr ProductKernel float_kernel(Cell cell) {
  return {.name = "avx512",
          .a = cell,
          .b = cell,
          .rows = kRows,
          .panels = kPanels,
          .lines_at_once = 192,      // 24 KiB of B
          .strip_bytes = 768 * 1024, // of second-level caches of a megabyte or more
          .most_strip_rows = 252,
          .tile = tile<FloatDot<16>, kRows, kPanels>,
          .pack = cell == Cell::f32 ? pack_interleaved<Cell::f32, kRows>
                                    : pack_interleaved<Cell::bf16_in_f32, kRows>,
          .fill = cell == Cell::f32 ? pack_interleaved<Cell::f32, kPanelWidth>
                                    : pack_interleaved<Cell::bf16_in_f32, kPanelWidth>,
          .finish = finish<false>,
          .largest = largest_magnitude};
}

} // namespace

const ProductKernel& avx512_f32_kernel() {
  static constexpr ProductKernel kKernel = float_kernel(Cell::f32);
  return kKernel;
}

const ProductKernel& avx512_bf16_in_f32_kernel() {
  static constexpr ProductKernel kKernel = float_kernel(Cell::bf16_in_f32);
  return kKernel;
}

} // namespace vlreid
