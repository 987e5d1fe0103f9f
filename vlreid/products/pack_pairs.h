// Cells of two bfloat16 from any matrix: rows or columns of float32 or bfloat16, in blocks of 16 x 16 cells.
// Included like kernel_parts.h, by sources for one instruction set.
#pragma once

#include "vlreid/products/kernel_parts.h"

namespace vlreid {
namespace {

constexpr int kBlock = 16; // cells of a row, and rows, of a block
constexpr int kNumbersOfBlock = 2 * kBlock;
constexpr std::int64_t kLinesFetched = 16; // of two stored rows each, before they are read

using Words16 [[gnu::vector_size(kBlock * sizeof(Word))]] = Word;
using Halves16 [[gnu::vector_size(kBlock * sizeof(std::uint16_t))]] = std::uint16_t;

VLREID_INLINE Halves16 sixteen_of(const float* x) {
  Halves16 result;
  auto* bytes = reinterpret_cast<unsigned char*>(&result);
#pragma GCC unroll 4
  for (int i = 0; i < kBlock; i += kWide) {
    const WideHalves halves = bf16_of(wide_from(x + i));
    __builtin_memcpy(bytes + i * sizeof(std::uint16_t), &halves, sizeof halves);
  }
  return result;
}

VLREID_INLINE Halves16 sixteen_of(const std::uint16_t* x) {
  Halves16 result;
  __builtin_memcpy(&result, x, sizeof result);
  return result;
}

// The first `count` of sixteen, zeros behind them.
template <typename Number>
VLREID_INLINE Halves16 some_of(const Number* x, std::int64_t count) {
  if (count >= kBlock) return sixteen_of(x);
  Number numbers[kBlock] = {};
  for (std::int64_t i = 0; i < count; ++i)
    numbers[i] = x[i];
  return sixteen_of(numbers);
}

VLREID_INLINE Words16 side_by_side(Halves16 first, Halves16 second) {
  struct {
    Halves16 first, second;
  } both{first, second};
  return __builtin_bit_cast(Words16, both);
}

VLREID_INLINE Words16 in_pairs(Halves16 lower, Halves16 upper) {
  return __builtin_convertvector(lower, Words16) | (__builtin_convertvector(upper, Words16) << 16);
}

template <typename Lane>
VLREID_INLINE Words16 lanes(Lane lane) {
  return Words16{lane(0), lane(1), lane(2),  lane(3),  lane(4),  lane(5),  lane(6),  lane(7),
                 lane(8), lane(9), lane(10), lane(11), lane(12), lane(13), lane(14), lane(15)};
}

// Changes places of the quarters of every square of 2 kDistance.
template <unsigned kDistance>
VLREID_INLINE void transpose_squares(Words16* x) {
  const Words16 upper = lanes([](unsigned l) { return (l & kDistance) != 0 ? 16 + l - kDistance : l; });
  const Words16 lower = lanes([](unsigned l) { return (l & kDistance) != 0 ? 16 + l : l + kDistance; });
#pragma GCC unroll 16
  for (unsigned i = 0; i < kBlock; ++i)
    if ((i & kDistance) == 0) {
      const Words16 a = x[i], b = x[i + kDistance];
      x[i] = __builtin_shuffle(a, b, upper);
      x[i + kDistance] = __builtin_shuffle(a, b, lower);
    }
}

VLREID_INLINE void transpose_16x16(Words16* x) {
  transpose_squares<8>(x);
  transpose_squares<4>(x);
  transpose_squares<2>(x);
  transpose_squares<1>(x);
}

template <typename Number>
VLREID_INLINE const Number* numbers_of(const PackArguments& given) {
  if constexpr (sizeof(Number) == sizeof(float))
    return given.rows;
  else
    return given.narrow;
}

// Cells [line, line + 16) of a row.
template <typename Number>
VLREID_INLINE Words16 cells_of_row(const PackArguments& given, std::int64_t row, std::int64_t line) {
  if (row >= given.count) return Words16{};
  const Number* from = numbers_of<Number>(given) + row * given.stride + 2 * line;
  const std::int64_t left = given.dims - 2 * line;
  if (left >= kNumbersOfBlock) return side_by_side(sixteen_of(from), sixteen_of(from + kBlock));
  return side_by_side(some_of(from, left), some_of(from + kBlock, left - kBlock));
}

// A line's cells of rows [row, row + 16), which are columns of what is stored.
template <typename Number>
VLREID_INLINE Words16 line_of_columns(const PackArguments& given, std::int64_t row, std::int64_t line) {
  const std::int64_t count = given.count - row, dim = 2 * line;
  if (dim >= given.dims) return Words16{};
  const Number* from = numbers_of<Number>(given) + dim * given.stride + row;
  const Number* ahead = from + 2 * kLinesFetched * given.stride; // beyond the end it does no harm
  __builtin_prefetch(ahead);
  __builtin_prefetch(ahead + given.stride);
  return in_pairs(some_of(from, count),
                  dim + 1 < given.dims ? some_of(from + given.stride, count) : Halves16{});
}

// 16 rows and 16 lines of cells: by rows, or by lines.
template <typename Number, bool kByRows>
VLREID_INLINE void read_block(const PackArguments& given, std::int64_t row, std::int64_t line,
                              Words16* block) {
  if (given.is_transposed) {
#pragma GCC unroll 16
    for (int i = 0; i < kBlock; ++i)
      block[i] = line_of_columns<Number>(given, row, line + i);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < kBlock; ++i)
      block[i] = cells_of_row<Number>(given, row + i, line);
  }
  if (given.is_transposed == kByRows) transpose_16x16(block);
}

// A group of kRows rows: cells [lines / 16, kRows, 16].
template <typename Number, int kRows>
void pack_group_of_pairs(const PackArguments& arguments) {
  const PackArguments given = arguments; // a copy: what is stored cannot change it
  if (given.is_transposed) {
    for (std::int64_t line = 0; line < given.lines; line += kBlock)
      for (int row = 0; row < kRows; row += kBlock) {
        Words16 block[kBlock];
        read_block<Number, true>(given, row, line, block);
        __builtin_memcpy(given.cells + (line * kRows + row * kBlock) * sizeof(Word), block, sizeof block);
      }
    return;
  }
  // Some lines of memory of each row, as they lie there: whole rows would be stored to the same few sets of
  // the first cache.
  constexpr std::int64_t kSome = 4 * kBlock;
  for (std::int64_t first = 0; first < given.lines; first += kSome) {
    const std::int64_t end = first + kSome < given.lines ? first + kSome : given.lines;
    for (int row = 0; row < kRows; ++row)
      for (std::int64_t line = first; line < end; line += kBlock) {
        const Words16 cells = cells_of_row<Number>(given, row, line);
        __builtin_memcpy(given.cells + (line * kRows + row * kBlock) * sizeof(Word), &cells, sizeof cells);
      }
  }
}

// Likewise from pieces: whole blocks of cells, as kPieceUnit says.
template <int kRows>
void pack_group_of_pieces(const PackArguments& arguments) {
  const PackArguments given = arguments;
  const std::int64_t lines = given.piece_dims / 2, pieces = given.dims / given.piece_dims;
  for (std::int64_t piece = 0; piece < pieces; ++piece)
    for (int row = 0; row < kRows; ++row) {
      const std::uint16_t* from = row < given.count ? given.pieces[row * pieces + piece] : nullptr;
      Word* to = reinterpret_cast<Word*>(given.cells) + piece * lines * kRows + row * kBlock;
      for (std::int64_t line = 0; line < lines; line += kBlock, to += kRows * kBlock) {
        Words16 cells{};
        if (from != nullptr)
          cells = side_by_side(sixteen_of(from + 2 * line), sixteen_of(from + 2 * line + kBlock));
        __builtin_memcpy(to, &cells, sizeof cells);
      }
    }
}

// A panel: cells [lines, 16].
template <typename Number>
void fill_panel_of_pairs(const PackArguments& arguments) {
  const PackArguments given = arguments;
  for (std::int64_t line = 0; line < given.lines; line += kBlock) {
    Words16 block[kBlock];
    read_block<Number, false>(given, 0, line, block);
    __builtin_memcpy(given.cells + line * kLineBytes, block, sizeof block);
  }
}

template <int kRows>
void pack_pairs(const PackArguments& given) {
  if (given.pieces != nullptr) return pack_group_of_pieces<kRows>(given);
  return given.narrow != nullptr ? pack_group_of_pairs<std::uint16_t, kRows>(given)
                                 : pack_group_of_pairs<float, kRows>(given);
}

inline void fill_pairs(const PackArguments& given) {
  return given.narrow != nullptr ? fill_panel_of_pairs<std::uint16_t>(given)
                                 : fill_panel_of_pairs<float>(given);
}

} // namespace
} // namespace vlreid
