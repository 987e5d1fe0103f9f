// Tiles of the matrix extension: 32 x 32 sums in four of its registers, two of A and two of B, each 16 rows
// of 64 bytes. Sixteen lines of a panel are one such register as they lie; a group of A keeps sixteen cells
// of its rows together.
#ifndef VLREID_EMULATED_INTRINSICS
#include <immintrin.h>
#endif

#include "vlreid/products/pack_pairs.h"

namespace vlreid {
namespace {

constexpr int kRows = 32, kPanels = 2, kCells = 16, kWidth = kPanels * kPanelWidth;

// What ldtilecfg reads (Intel SDM, volume 1, 18.3).
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Between them other code of the thread may not use the registers otherwise.
void configure() {
  static const TileConfiguration kConfiguration;
  _tile_loadconfig(&kConfiguration);
}

// Registers that are released cost nothing at a switch of threads.
void release() {
  _tile_release();
}

enum class TileNumbers { bf16, s8 };

// A tile's sums on their way to the output, some rows at a time.
template <TileNumbers kNumbers>
class Finishing {
public:
  VLREID_INLINE Finishing(const FinishArguments& given, std::int64_t steps)
      : given_(given), rows_a_step_((given.rows + steps - 1) / steps) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; ++i)
      columns_[i] = Columns(given, i * kWide, kWide);
  }

  template <Finish kFinish>
  VLREID_INLINE void step() {
    const std::int64_t end = row_ + rows_a_step_ < given_.rows ? row_ + rows_a_step_ : given_.rows;
    for (; row_ < end; ++row_)
#pragma GCC unroll 8
      for (int i = 0; i < kVectors; ++i)
        columns_[i].template row<kFinish>(given_, row_);
  }

private:
  using Columns = ColumnFinish<kNumbers == TileNumbers::s8>;
  static constexpr int kVectors = kWidth / kWide;

  const FinishArguments given_; // a copy: what is stored cannot change it
  std::int64_t rows_a_step_, row_ = 0;
  Columns columns_[kVectors];
};

// meanwhile() is called once for every sixteen lines, `steps` times.
template <TileNumbers kNumbers, typename Meanwhile>
VLREID_INLINE void multiply_tile(const TileArguments& given, Meanwhile&& meanwhile) {
  constexpr int kSumStride = kWidth * sizeof(float);
  float* lower = given.sums + 16 * kWidth;
  if (given.adds) {
    _tile_loadd(0, given.sums, kSumStride);
    _tile_loadd(1, given.sums + kPanelWidth, kSumStride);
    _tile_loadd(2, lower, kSumStride);
    _tile_loadd(3, lower + kPanelWidth, kSumStride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const unsigned char* group = given.group;
  const unsigned char* panel = given.panel;
  // Lines are fetched among the products: all at once they would fill the queue for memory.
  const std::int64_t fetched = (given.ahead_lines * kCells + given.lines - 1) / given.lines;
  std::int64_t ahead = 0;
  for (std::int64_t line = 0; line < given.lines; line += kCells, ahead += fetched) {
    const std::int64_t end = ahead + fetched < given.ahead_lines ? ahead + fetched : given.ahead_lines;
    fetch_ahead(given, 0, ahead, end);
    fetch_ahead(given, 1, ahead, end);
    // The panels stay in the first cache if A is only passing through.
    _tile_stream_loadd(4, group, kLineBytes);
    _tile_stream_loadd(5, group + 16 * kLineBytes, kLineBytes);
    _tile_loadd(6, panel, kLineBytes);
    _tile_loadd(7, panel + given.panel_stride, kLineBytes);
    meanwhile();
    if constexpr (kNumbers == TileNumbers::bf16) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    } else {
      _tile_dpbssd(0, 4, 6);
      _tile_dpbssd(1, 4, 7);
      _tile_dpbssd(2, 5, 6);
      _tile_dpbssd(3, 5, 7);
    }
    group += kRows * kLineBytes;
    panel += kCells * kLineBytes;
  }
  _tile_stored(0, given.sums, kSumStride);
  _tile_stored(1, given.sums + kPanelWidth, kSumStride);
  _tile_stored(2, lower, kSumStride);
  _tile_stored(3, lower + kPanelWidth, kSumStride);
}

template <TileNumbers kNumbers, Finish kFinish>
void multiply_and_finish(const TileArguments& given) {
  Finishing<kNumbers> finishing(*given.before, given.lines / kCells);
  multiply_tile<kNumbers>(
      given, [&]() __attribute__((always_inline)) { finishing.template step<kFinish>(); });
}

// The vector units finish the tile before while the matrix unit works.
template <TileNumbers kNumbers>
void tile_32x32(const TileArguments& given) {
  if (given.before == nullptr) return multiply_tile<kNumbers>(given, [] {});
  with_finish(given.before->kind, [&]<Finish kFinish>() { multiply_and_finish<kNumbers, kFinish>(given); });
}

// Cells [lines / 16, kRows, 16], row after row as they lie in memory.
void pack_blocks_of_s8(const PackArguments& given) {
  for (int r = 0; r < kRows; ++r) {
    Word* cells = reinterpret_cast<Word*>(given.cells) + r * kCells;
    const float* row = given.rows + r * given.stride;
    const float steps = given.steps == nullptr || r >= given.count ? 1.0F : given.steps[r];
    for (std::int64_t first = 0; first < given.lines; first += kCells, cells += kRows * kCells) {
      if (r >= given.count)
        __builtin_memset(cells, 0, kLineBytes);
      else if (const std::int64_t end = (first + kCells) * numbers_in(Cell::s8x4); end <= given.dims)
        cells_of<Cell::s8x4>(row, end, first, kCells, steps, cells); // whole: no ends to look for
      else
        cells_of<Cell::s8x4>(row, given.dims, first, kCells, steps, cells);
    }
  }
}

constexpr int kLinesAtOnce = 512; // 64 KiB of B; up to 1024 dimensions of bfloat16 need no sums in memory
constexpr std::int64_t kStripBytes =
    768 * 1024; // of the two megabytes of such a processor's second-level cache
constexpr int kMostStripRows = 512;

} // namespace

const ProductKernel& amx_bf16_kernel() {
  static constexpr ProductKernel kKernel{.name = "amx_bf16",
                                         .a = Cell::bf16x2,
                                         .b = Cell::bf16x2,
                                         .rows = kRows,
                                         .panels = kPanels,
                                         .lines_at_once = kLinesAtOnce,
                                         .line_multiple = kCells,
                                         .strip_bytes = kStripBytes,
                                         .most_strip_rows = kMostStripRows,
                                         .finishes_meanwhile = true,
                                         .packs_sums = true,
                                         .packs_any = true,
                                         .begin = configure,
                                         .end = release,
                                         .tile = tile_32x32<TileNumbers::bf16>,
                                         .pack = pack_pairs<kRows>,
                                         .fill = fill_pairs,
                                         .finish = finish<false>,
                                         .largest = largest_magnitude};
  return kKernel;
}

const ProductKernel& amx_int8_kernel() {
  static constexpr ProductKernel kKernel{.name = "amx_int8",
                                         .a = Cell::s8x4,
                                         .b = Cell::s8x4,
                                         .rows = kRows,
                                         .panels = kPanels,
                                         .lines_at_once = kLinesAtOnce,
                                         .line_multiple = kCells,
                                         .strip_bytes = kStripBytes,
                                         .most_strip_rows = kMostStripRows,
                                         .finishes_meanwhile = true,
                                         .begin = configure,
                                         .end = release,
                                         .tile = tile_32x32<TileNumbers::s8>,
                                         .pack = pack_blocks_of_s8,
                                         .fill = pack_interleaved<Cell::s8x4, kPanelWidth>,
                                         .finish = finish<true>,
                                         .largest = largest_magnitude};
  return kKernel;
}

} // namespace vlreid
