// What an instruction set offers to a product: the inner loop, the order and type of numbers that it reads,
// and the passes before and after it. Internal to products. Included by one source for each instruction set,
// compiled with that set: nothing here may be shared between them as code.
#pragma once

#include <cstdint>

namespace vlreid {

inline constexpr int kPanelWidth = 16; // columns of a panel
inline constexpr int kLineBytes = 64;  // of a panel: one cell of four bytes for each column

// What four bytes of a row hold, its next one to four numbers.
enum class Cell {
  f32,
  bf16_in_f32, // one number, rounded to bfloat16
  bf16x2,
  s16x2, // 8-bit numbers in 16 bits
  s8x4,
  u8x4, // 8-bit numbers plus 128
};

constexpr int numbers_in(Cell cell) {
  switch (cell) {
  case Cell::f32:
  case Cell::bf16_in_f32:
    return 1;
  case Cell::bf16x2:
  case Cell::s16x2:
    return 2;
  case Cell::s8x4:
  case Cell::u8x4:
    break;
  }
  return 4;
}

constexpr bool is_quantised(Cell cell) {
  return cell == Cell::s16x2 || cell == Cell::s8x4 || cell == Cell::u8x4;
}

inline constexpr int kLargest8Bit = 127;
inline constexpr int kOffsetOfU8 = 128;

// Some rows of A as one group of cells, or of B as a panel.
struct PackArguments {
  const float* rows = nullptr;           // the first number of the first row; nullptr with count 0
  const std::uint16_t* narrow = nullptr; // instead: bfloat16; only where the kernel packs_any
  bool is_transposed = false; // rows are columns of what is stored; only where the kernel packs_any
  const std::uint16_t* const* pieces =
      nullptr; // instead of both: PiecedRows; only where the kernel packs_any
  std::int64_t piece_dims = 0;
  std::int64_t stride = 0; // numbers from row to row of what is stored
  std::int64_t count = 0;  // of the group's rows; the others are zero
  std::int64_t dims = 0;
  std::int64_t lines = 0;         // of the group; beyond dims: zeros
  const float* steps = nullptr;   // [count]: 8-bit numbers are x * steps, rounded
  unsigned char* cells = nullptr; // [lines, rows] cells; AMX: [lines / 16, rows, 16]
};

struct FinishArguments {
  const float* sums = nullptr; // [rows, width] as TileArguments has them
  std::int64_t width = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0; // <= width
  int kind = 0;             // Epilogue::Kind
  const float* bias = nullptr;
  const float* row_scales = nullptr;         // 8-bit
  const float* column_scales = nullptr;      // 8-bit
  const std::int32_t* column_sums = nullptr; // with u8x4: times 128 to be taken off
  float* out = nullptr;
  std::int64_t stride = 0;         // floats from row to row
  unsigned char* narrow = nullptr; // instead of `out`: bfloat16
  std::int64_t narrow_stride = 0;  // bytes from row to row
  const std::uint16_t* hidden =
      nullptr; // Epilogue::hidden and beside, `beside_stride` numbers from row to row
  std::uint16_t* beside = nullptr;
  std::int64_t beside_stride = 0;
};

struct TileArguments {
  const unsigned char* group = nullptr; // cells of A [lines, ProductKernel::rows]
  const unsigned char* panel = nullptr; // [lines] of B, the next panel `panel_stride` bytes further
  std::int64_t panel_stride = 0;
  std::int64_t lines = 0;
  std::int64_t rows = 0; // of the group that are of use, at least one
  float* sums = nullptr; // [rows, panels * 16] float32, or int32 for 8-bit numbers
  bool adds = false;     // to what is in sums
  // Lines of each panel that later tiles read, fetched meanwhile; the panels again `panel_stride` apart.
  const unsigned char* ahead = nullptr;
  std::int64_t ahead_lines = 0;
  const FinishArguments* before = nullptr; // what is finished meanwhile, where the kernel does that
};

struct ProductKernel {
  const char* name = "";
  Cell a = Cell::f32;
  Cell b = Cell::f32;
  int rows = 0;   // of a tile, and of a group of A
  int panels = 0; // of a tile
  int lines_at_once =
      0; // that a tile goes through before the next takes its turn: they stay in the first cache
  int line_multiple = 1;                 // lines are filled up to
  std::int64_t strip_bytes = 256 * 1024; // of A that stay in the second-level cache: half of a small one
  int most_strip_rows = 144;
  bool is_split = false;           // numbers are a sum of two, taken three times over (ProductType::bf16x3)
  bool finishes_meanwhile = false; // the tile before, if it is as wide as any
  bool packs_sums = false;         // FinishArguments::narrow with a stride of 64 is a group of A
  bool packs_any = false;          // bfloat16 as well as float32, columns as well as rows
  // Around the tiles of a thread, where the processor has a mode for them.
  void (*begin)() = nullptr;
  void (*end)() = nullptr;
  void (*tile)(const TileArguments&) = nullptr;
  void (*pack)(const PackArguments&) = nullptr; // a group of A
  void (*fill)(const PackArguments&) = nullptr; // a panel of B, cells [lines, 16]
  // A panel of B from columns of a matrix: `rows` is their first row, `count` how many; none: by way of fill.
  void (*fill_transposed)(const PackArguments&) = nullptr;
  void (*finish)(const FinishArguments&) = nullptr;
  float (*largest)(const float* x, std::int64_t count) = nullptr; // magnitude
};

const ProductKernel& plain_f32_kernel();
const ProductKernel& plain_bf16_kernel(); // in float32
const ProductKernel& plain_int8_kernel();
#if defined(__x86_64__)
const ProductKernel& avx2_f32_kernel();
const ProductKernel& avx2_bf16_kernel(); // in float32
const ProductKernel& avx2_int8_kernel();
const ProductKernel& avx512_f32_kernel();
const ProductKernel& avx512_bf16_in_f32_kernel();
const ProductKernel& avx512_bf16_kernel();
const ProductKernel& avx512_vnni_kernel();
const ProductKernel& amx_bf16_kernel();
const ProductKernel& amx_int8_kernel();
#endif

} // namespace vlreid
