// Tiles of 6 rows x 16 columns: 12 sums, two registers of B, one or two of A. The loops are written in
// assembly: the compiler's own take a third more instructions, which shows where another thread shares the
// core, and unrolled by it they spill.
#include "vlreid/products/kernel_parts.h"

namespace vlreid {
namespace {

constexpr int kRows = 6;

#define VLREID_TWO_ROWS_F32(line, first, s0, s1, s2, s3)                                                     \
  "vbroadcastss " #line "*24+" #first "*4(%[group]), %%ymm14\n\t"                                            \
  "vbroadcastss " #line "*24+" #first "*4+4(%[group]), %%ymm15\n\t"                                          \
  "vfmadd231ps %%ymm12, %%ymm14, %%ymm" #s0 "\n\t"                                                           \
  "vfmadd231ps %%ymm13, %%ymm14, %%ymm" #s1 "\n\t"                                                           \
  "vfmadd231ps %%ymm12, %%ymm15, %%ymm" #s2 "\n\t"                                                           \
  "vfmadd231ps %%ymm13, %%ymm15, %%ymm" #s3 "\n\t"

#define VLREID_LINE_F32(line)                                                                                \
  "vmovups " #line "*64(%[panel]), %%ymm12\n\t"                                                              \
  "vmovups " #line "*64+32(%[panel]), %%ymm13\n\t" VLREID_TWO_ROWS_F32(line, 0, 0, 1, 2, 3)                  \
      VLREID_TWO_ROWS_F32(line, 2, 4, 5, 6, 7) VLREID_TWO_ROWS_F32(line, 4, 8, 9, 10, 11)

#define VLREID_ROW_S16(line, row, s0, s1)                                                                    \
  "vpbroadcastd " #line "*24+" #row "*4(%[group]), %%ymm14\n\t"                                              \
  "vpmaddwd %%ymm12, %%ymm14, %%ymm15\n\t"                                                                   \
  "vpmaddwd %%ymm13, %%ymm14, %%ymm14\n\t"                                                                   \
  "vpaddd %%ymm15, %%ymm" #s0 ", %%ymm" #s0 "\n\t"                                                           \
  "vpaddd %%ymm14, %%ymm" #s1 ", %%ymm" #s1 "\n\t"

#define VLREID_LINE_S16(line)                                                                                \
  "vmovups " #line "*64(%[panel]), %%ymm12\n\t"                                                              \
  "vmovups " #line "*64+32(%[panel]), %%ymm13\n\t" VLREID_ROW_S16(line, 0, 0, 1)                             \
      VLREID_ROW_S16(line, 1, 2, 3) VLREID_ROW_S16(line, 2, 4, 5) VLREID_ROW_S16(line, 3, 6, 7)              \
          VLREID_ROW_S16(line, 4, 8, 9) VLREID_ROW_S16(line, 5, 10, 11)

#define VLREID_EACH_SUM(move)                                                                                \
  move(0) move(1) move(2) move(3) move(4) move(5) move(6) move(7) move(8) move(9) move(10) move(11)
#define VLREID_LOAD_SUM(n) "vmovups " #n "*32(%[from]), %%ymm" #n "\n\t"
#define VLREID_STORE_SUM(n) "vmovups %%ymm" #n ", " #n "*32(%[sums])\n\t"

// Four lines a turn, with a cache line fetched for later; then the rest.
#define VLREID_TILE(line)                                                                                    \
  asm volatile(VLREID_EACH_SUM(VLREID_LOAD_SUM) "test %[fours], %[fours]\n\t"                                \
                                                "jz 2f\n\t"                                                  \
                                                ".p2align 5\n"                                               \
                                                "1:\n\t"                                                     \
                                                "prefetcht1 (%[ahead])\n\t" line(0) line(1) line(2)          \
                                                    line(3) "add $96, %[group]\n\t"                          \
                                                            "add $256, %[panel]\n\t"                         \
                                                            "add %[step], %[ahead]\n\t"                      \
                                                            "dec %[fours]\n\t"                               \
                                                            "jnz 1b\n"                                       \
                                                            "2:\n\t"                                         \
                                                            "test %[ones], %[ones]\n\t"                      \
                                                            "jz 4f\n"                                        \
                                                            "3:\n\t" line(0) "add $24, %[group]\n\t"         \
                                                                             "add $64, %[panel]\n\t"         \
                                                                             "dec %[ones]\n\t"               \
                                                                             "jnz 3b\n"                      \
                                                                             "4:\n\t" VLREID_EACH_SUM(       \
                                                                                 VLREID_STORE_SUM)           \
               : [group] "+r"(group), [panel] "+r"(panel), [fours] "+r"(fours), [ones] "+r"(ones),           \
                 [ahead] "+r"(ahead)                                                                         \
               : [from] "r"(from), [sums] "r"(given.sums), [step] "r"(step)                                  \
               : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",     \
                 "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

alignas(64) constexpr float kZeros[kRows * kPanelWidth] = {};

template <bool kIsF32>
void tile_6x16(const TileArguments& given) {
  const unsigned char* ahead = given.ahead;
  const std::int64_t step = given.ahead_lines > 0 ? kLineBytes : 0;
  const unsigned char* group = given.group;
  const unsigned char* panel = given.panel;
  const float* from = given.adds ? given.sums : kZeros;
  std::int64_t fours = given.lines / 4, ones = given.lines % 4;
  if constexpr (kIsF32)
    VLREID_TILE(VLREID_LINE_F32);
  else
    VLREID_TILE(VLREID_LINE_S16);
}

constexpr ProductKernel float_kernel(Cell cell) {
  return {.name = "avx2",
          .a = cell,
          .b = cell,
          .rows = kRows,
          .panels = 1,
          .lines_at_once = 256,
          .tile = tile_6x16<true>,
          .pack = cell == Cell::f32 ? pack_interleaved<Cell::f32, kRows>
                                    : pack_interleaved<Cell::bf16_in_f32, kRows>,
          .fill = cell == Cell::f32 ? pack_interleaved<Cell::f32, kPanelWidth>
                                    : pack_interleaved<Cell::bf16_in_f32, kPanelWidth>,
          .finish = finish<false>,
          .largest = largest_magnitude};
}

} // namespace

const ProductKernel& avx2_f32_kernel() {
  static constexpr ProductKernel kKernel = float_kernel(Cell::f32);
  return kKernel;
}

const ProductKernel& avx2_bf16_kernel() {
  static constexpr ProductKernel kKernel = float_kernel(Cell::bf16_in_f32);
  return kKernel;
}

const ProductKernel& avx2_int8_kernel() {
  static constexpr ProductKernel kKernel{.name = "avx2",
                                         .a = Cell::s16x2,
                                         .b = Cell::s16x2,
                                         .rows = kRows,
                                         .panels = 1,
                                         .lines_at_once = 256,
                                         .tile = tile_6x16<false>,
                                         .pack = pack_interleaved<Cell::s16x2, kRows>,
                                         .fill = pack_interleaved<Cell::s16x2, kPanelWidth>,
                                         .finish = finish<true>,
                                         .largest = largest_magnitude};
  return kKernel;
}

} // namespace vlreid
