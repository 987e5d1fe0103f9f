// What the sources of several instruction sets share as text: compiled by each with its own flags, so
// everything is in an anonymous namespace and nothing outside the language is used but GCC's vectors and,
// where they say what those cannot, intrinsics, which are inlined always.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "vlreid/products/kernel.h"

#pragma GCC diagnostic ignored "-Wpsabi" // vectors are only passed to functions that are inlined
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized" // what GCC 12's intrinsics mean by undefined

namespace vlreid {
namespace {

#define VLREID_INLINE inline __attribute__((always_inline))

using Word = std::uint32_t;

VLREID_INLINE Word word_of(float x) {
  return __builtin_bit_cast(Word, x);
}

VLREID_INLINE float float_of(Word x) {
  return __builtin_bit_cast(float, x);
}

// Rounded to the nearest bfloat16, ties to even, in the upper half; NaN stays one.
VLREID_INLINE Word rounded_to_bf16(float x) {
  const Word bits = word_of(x);
  const Word rounded = bits + 0x7FFFU + ((bits >> 16) & 1U);
  const Word nan = bits | 0x00400000U;
  return ((bits & 0x7FFFFFFFU) > 0x7F800000U ? nan : rounded) & 0xFFFF0000U;
}

// 1.5 * 2^23: adding it leaves the nearest integer in the low bits.
constexpr float kRounding = 12582912.0F;

VLREID_INLINE std::int32_t rounded(float x) {
  return static_cast<std::int32_t>(word_of(x + kRounding)) - static_cast<std::int32_t>(word_of(kRounding));
}

template <Cell kCell>
VLREID_INLINE Word cell_of(const float* x, float steps) {
  if constexpr (kCell == Cell::f32) return word_of(x[0]);
  if constexpr (kCell == Cell::bf16_in_f32) return rounded_to_bf16(x[0]);
  if constexpr (kCell == Cell::bf16x2) return (rounded_to_bf16(x[0]) >> 16) | rounded_to_bf16(x[1]);
  if constexpr (kCell == Cell::s16x2)
    return (static_cast<Word>(rounded(x[0] * steps)) & 0xFFFFU) |
           (static_cast<Word>(rounded(x[1] * steps)) << 16);
  if constexpr (kCell == Cell::s8x4 || kCell == Cell::u8x4) {
    const std::int32_t offset = kCell == Cell::u8x4 ? kOffsetOfU8 : 0;
    Word cell = 0;
    for (int i = 0; i < 4; ++i)
      cell |= (static_cast<Word>(rounded(x[i] * steps) + offset) & 0xFFU) << (8 * i);
    return cell;
  }
}

// Cells [first, first + count) of a row; what lies beyond its numbers is zero.
template <Cell kCell>
VLREID_INLINE void cells_of(const float* row, std::int64_t dims, std::int64_t first, std::int64_t count,
                            float steps, Word* cells) {
  constexpr std::int64_t kNumbers = numbers_in(kCell);
  const std::int64_t whole = dims / kNumbers - first; // cells before the end of the row
  const std::int64_t full = whole < 0 ? 0 : whole < count ? whole : count;
  const float* x = row + first * kNumbers;
  for (std::int64_t i = 0; i < full; ++i)
    cells[i] = cell_of<kCell>(x + i * kNumbers, steps);
  for (std::int64_t i = full; i < count; ++i) {
    float rest[kNumbers] = {};
    for (std::int64_t n = 0; n < kNumbers && (first + i) * kNumbers + n < dims; ++n)
      rest[n] = x[i * kNumbers + n];
    cells[i] = cell_of<kCell>(rest, steps);
  }
}

constexpr std::int64_t kCellsPacked = 64; // of each row at a time

using Words8 [[gnu::vector_size(8 * sizeof(Word))]] = Word;

// rows[r][i] -> columns[i][r]
VLREID_INLINE void transpose_8x8(const Words8* rows, Words8* columns) {
  Words8 pairs[8], fours[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shuffle(rows[i], rows[i + 1], Words8{0, 8, 1, 9, 4, 12, 5, 13});
    pairs[i + 1] = __builtin_shuffle(rows[i], rows[i + 1], Words8{2, 10, 3, 11, 6, 14, 7, 15});
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      fours[i + 2 * j] = __builtin_shuffle(pairs[i + j], pairs[i + j + 2], Words8{0, 1, 8, 9, 4, 5, 12, 13});
      fours[i + 2 * j + 1] =
          __builtin_shuffle(pairs[i + j], pairs[i + j + 2], Words8{2, 3, 10, 11, 6, 7, 14, 15});
    }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    columns[i] = __builtin_shuffle(fours[i], fours[i + 4], Words8{0, 1, 2, 3, 8, 9, 10, 11});
    columns[i + 4] = __builtin_shuffle(fours[i], fours[i + 4], Words8{4, 5, 6, 7, 12, 13, 14, 15});
  }
}

// Eight lines of kRows cells.
template <int kRows>
VLREID_INLINE void interleave_8_lines(const Word (*part)[kCellsPacked], std::int64_t line, Word* cells) {
  constexpr int kParts = (kRows + 7) / 8;
  Words8 columns[kParts][8];
#pragma GCC unroll 2
  for (int half = 0; half < kParts; ++half) {
    Words8 rows[8] = {};
#pragma GCC unroll 8
    for (int r = 0; r < 8; ++r)
      if (8 * half + r < kRows) __builtin_memcpy(&rows[r], &part[8 * half + r][line], sizeof rows[r]);
    transpose_8x8(rows, columns[half]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
#pragma GCC unroll 2
    for (int half = 0; half < kParts; ++half) {
      // Words behind a line belong to the next, which comes there later; those behind the last line to
      // others.
      const int count = i < 7 || kRows - 8 * half > 8 ? 8 : kRows - 8 * half;
      __builtin_memcpy(cells + i * kRows + 8 * half, &columns[half][i], count * sizeof(Word));
    }
}

// Cells [lines, kRows]: those of one line beside each other.
template <Cell kCell, int kRows>
void pack_interleaved(const PackArguments& given) {
  alignas(64) Word part[kRows][kCellsPacked];
  Word* cells = reinterpret_cast<Word*>(given.cells);
  for (std::int64_t first = 0; first < given.lines; first += kCellsPacked) {
    const std::int64_t count = given.lines - first < kCellsPacked ? given.lines - first : kCellsPacked;
    for (int r = 0; r < kRows; ++r) {
      if (r < given.count) {
        const float steps = given.steps == nullptr ? 1.0F : given.steps[r];
        cells_of<kCell>(given.rows + r * given.stride, given.dims, first, count, steps, part[r]);
      } else {
        for (std::int64_t i = 0; i < count; ++i)
          part[r][i] = 0;
      }
    }
    std::int64_t line = 0;
    if constexpr (kRows >= 6)
      for (; line + 8 <= count; line += 8, cells += 8 * kRows)
        interleave_8_lines<kRows>(part, line, cells);
    for (; line < count; ++line, cells += kRows) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r)
        cells[r] = part[r][line];
    }
  }
}

// The width of a register: of wider vectors the compiler takes comparisons apart into single numbers, and of
// loops over numbers it makes what it likes.
#if defined(__AVX512F__)
constexpr int kWide = 16;
#elif defined(__AVX2__)
constexpr int kWide = 8;
#else
constexpr int kWide = 4;
#endif
using Wide [[gnu::vector_size(kWide * sizeof(float))]] = float;
using WideInts [[gnu::vector_size(kWide * sizeof(float))]] = std::int32_t;

using WideWords [[gnu::vector_size(kWide * sizeof(float))]] = Word;
using WideHalves [[gnu::vector_size(kWide * sizeof(std::uint16_t))]] = std::uint16_t;

VLREID_INLINE Wide wide_from(const float* x) {
  Wide result;
  __builtin_memcpy(&result, x, sizeof result);
  return result;
}

VLREID_INLINE Wide wide_of(float x) {
  return x - Wide{};
}

VLREID_INLINE WideWords words_rounded_to_bf16(Wide x) {
  const WideWords bits = __builtin_bit_cast(WideWords, x);
  const WideWords rounded = bits + 0x7FFFU + ((bits >> 16) & 1U), nan = bits | 0x00400000U;
  return ((bits & 0x7FFFFFFFU) > 0x7F800000U ? nan : rounded) & 0xFFFF0000U;
}

// The upper halves of rounded_to_bf16. The instruction takes denormal numbers for zero.
VLREID_INLINE WideHalves bf16_of(Wide x) {
#if defined(__AVX512BF16__)
  return __builtin_bit_cast(WideHalves, _mm512_cvtneps_pbh(__builtin_bit_cast(__m512, x)));
#endif
  return __builtin_convertvector(words_rounded_to_bf16(x) >> 16, WideHalves);
}

// A panel of B from `count` columns of a matrix [dims, ...], rows `stride` floats apart: cells of two rows.
inline void pack_columns_of_bf16(const PackArguments& given) {
  Word* cells = reinterpret_cast<Word*>(given.cells);
  for (std::int64_t line = 0; line < given.lines; ++line, cells += kPanelWidth) {
    for (std::int64_t column = 0; column < kPanelWidth; column += kWide) {
      WideWords numbers[2] = {};
      for (std::int64_t i = 0; i < 2 && 2 * line + i < given.dims && column < given.count; ++i) {
        const float* from = given.rows + (2 * line + i) * given.stride + column;
        Wide row{};
        if (column + kWide <= given.count)
          row = wide_from(from);
        else
          __builtin_memcpy(&row, from, (given.count - column) * sizeof(float));
        numbers[i] = words_rounded_to_bf16(row);
      }
      const WideWords pairs = (numbers[0] >> 16) | numbers[1];
      __builtin_memcpy(cells + column, &pairs, sizeof pairs);
    }
  }
}

// e^x to about 1e-7 relative for |x| <= 87, clamped outside: range reduction to |r| <= ln(2)/2 and Taylor's
// series to r^7.
VLREID_INLINE Wide fast_exp(Wide x) {
  x = x > 87.0F ? wide_of(87.0F) : x;
  x = x < -87.0F ? wide_of(-87.0F) : x;
  const Wide shifted = x * 1.44269504F + kRounding;
  const Wide n = shifted - kRounding;
  const Wide r = (x - n * 0.693359375F) + n * 2.12194440e-4F; // ln 2 in two parts
  Wide p = wide_of(1.0F / 5040.0F);
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return p * __builtin_bit_cast(Wide, (__builtin_bit_cast(WideInts, shifted) << 23) + 0x3F800000);
}

inline float largest_magnitude(const float* x, std::int64_t count) {
  constexpr int kChains = 4;
  Wide largest[kChains] = {};
  const auto take = [&](Wide& chain, Wide values) {
    const Wide magnitude = __builtin_bit_cast(Wide, __builtin_bit_cast(WideWords, values) & 0x7FFFFFFFU);
    chain = magnitude > chain ? magnitude : chain;
  };
  std::int64_t i = 0;
  for (; i + kChains * kWide <= count; i += kChains * kWide)
#pragma GCC unroll 4
    for (int chain = 0; chain < kChains; ++chain)
      take(largest[chain], wide_from(x + i + chain * kWide));
  for (; i < count; i += kWide) {
    Wide rest{};
    __builtin_memcpy(&rest, x + i, (count - i < kWide ? count - i : kWide) * sizeof(float));
    take(largest[0], rest);
  }
  float result = 0;
  for (const Wide& chain : largest)
    for (int lane = 0; lane < kWide; ++lane)
      result = chain[lane] > result ? chain[lane] : result;
  return result;
}

#if defined(__AVX512F__)
// 1 / (1 + e^(-1.702 x)) to about 2e-7 relative: 2^n by the exponent, 2^r for |r| <= 1/2 by its series to
// r^7, the quotient by one step of Newton's method from 14 bits.
VLREID_INLINE Wide gelu_sigmoid(Wide given) {
  const __m512 x = __builtin_bit_cast(__m512, given);
  // e^88 is the last that its inverse, and Newton's product with it, can be taken of.
  const __m512 limit = _mm512_set1_ps(126.0F);
  const __m512 power = _mm512_min_ps(_mm512_mul_ps(x, _mm512_set1_ps(-2.4554670F)), limit); // 1.702 / ln 2
  const __m512 n = _mm512_roundscale_ps(power, _MM_FROUND_TO_NEAREST_INT);
  const __m512 r = _mm512_sub_ps(power, n);
  __m512 p = _mm512_set1_ps(1.5252734e-5F); // ln(2)^7 / 7!
  constexpr float kSeries[] = {1.5403530e-4F, 1.3333558e-3F, 9.6181291e-3F, 5.5504109e-2F,
                               0.24022651F,   0.69314718F,   1.0F};
  for (const float coefficient : kSeries)
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(coefficient));
  const __m512 sum = _mm512_add_ps(_mm512_scalef_ps(p, n), _mm512_set1_ps(1.0F));
  const __m512 near = _mm512_rcp14_ps(sum);
  const __m512 rest = _mm512_fnmadd_ps(sum, near, _mm512_set1_ps(2.0F));
  return __builtin_bit_cast(Wide, _mm512_mul_ps(near, rest));
}
#else
VLREID_INLINE Wide gelu_sigmoid(Wide x) {
  return 1.0F / (1.0F + fast_exp(-1.702F * x));
}
#endif

VLREID_INLINE Wide float_of_halves(WideHalves x) {
  return __builtin_bit_cast(Wide, __builtin_convertvector(x, WideWords) << 16);
}

enum class Finish { store, add, quick_gelu, relu, add_relu, quick_gelu_backward }; // Epilogue::Kind

template <Finish kFinish>
VLREID_INLINE Wide finished(Wide x, Wide before) {
  if constexpr (kFinish == Finish::add || kFinish == Finish::add_relu) x += before;
  if constexpr (kFinish == Finish::relu || kFinish == Finish::add_relu) x = x > 0.0F ? x : Wide{};
  if constexpr (kFinish == Finish::quick_gelu) x *= gelu_sigmoid(x);
  return x;
}

// What is the same for every row, of columns [first, first + count): at most kWide.
template <bool kQuantised>
struct ColumnFinish {
  std::int64_t first = 0, count = 0;
  Wide bias{}, scales{};
  WideInts offsets{};

  ColumnFinish() = default;
  VLREID_INLINE ColumnFinish(const FinishArguments& given, std::int64_t from, std::int64_t columns)
      : first(from), count(columns) {
    const std::size_t bytes = static_cast<std::size_t>(columns) * sizeof(float);
    if (given.bias != nullptr) __builtin_memcpy(&bias, given.bias + first, bytes);
    if constexpr (kQuantised) {
      __builtin_memcpy(&scales, given.column_scales + first, bytes);
      if (given.column_sums != nullptr) __builtin_memcpy(&offsets, given.column_sums + first, bytes);
      offsets *= kOffsetOfU8;
    }
  }

  template <Finish kFinish>
  VLREID_INLINE void row(const FinishArguments& given, std::int64_t r) const {
    const std::size_t numbers = static_cast<std::size_t>(count);
    Wide x = wide_from(given.sums + r * given.width + first);
    float* out = given.out + r * given.stride + first;
    if constexpr (kQuantised)
      x = __builtin_convertvector(__builtin_bit_cast(WideInts, x) - offsets, Wide) *
          (given.row_scales[r] * scales);
    x += bias;
    Wide before{};
    unsigned char* narrow_out = given.narrow + r * given.narrow_stride + first * sizeof(std::uint16_t);
    if constexpr (kFinish == Finish::add || kFinish == Finish::add_relu) {
      if (given.narrow == nullptr) {
        __builtin_memcpy(&before, out, numbers * sizeof(float));
      } else {
        WideHalves narrow_before{};
        __builtin_memcpy(&narrow_before, narrow_out, numbers * sizeof(std::uint16_t));
        before = float_of_halves(narrow_before);
      }
    }
    if constexpr (kFinish == Finish::quick_gelu) keep_beside(given, r, x);
    if constexpr (kFinish == Finish::quick_gelu_backward) {
      WideHalves hidden{};
      __builtin_memcpy(&hidden, given.hidden + r * given.beside_stride + first,
                       numbers * sizeof(std::uint16_t));
      const Wide h = float_of_halves(hidden), s = gelu_sigmoid(h), y = h * s;
      x *= s + 1.702F * (y - y * s);
      keep_beside(given, r, y);
    }
    x = finished<kFinish>(x, before);
    if (given.narrow != nullptr) {
      const WideHalves narrow = bf16_of(x);
      __builtin_memcpy(narrow_out, &narrow, numbers * sizeof(std::uint16_t));
    } else {
      __builtin_memcpy(out, &x, numbers * sizeof(float));
    }
  }

  VLREID_INLINE void keep_beside(const FinishArguments& given, std::int64_t r, Wide x) const {
    if (given.beside == nullptr) return;
    const WideHalves narrow = bf16_of(x);
    __builtin_memcpy(given.beside + r * given.beside_stride + first, &narrow,
                     static_cast<std::size_t>(count) * sizeof(std::uint16_t));
  }
};

template <bool kQuantised, Finish kFinish>
VLREID_INLINE void finish_columns(const FinishArguments& given, std::int64_t first, std::int64_t columns) {
  const ColumnFinish<kQuantised> finish(given, first, columns);
  for (std::int64_t r = 0; r < given.rows; ++r)
    finish.template row<kFinish>(given, r);
}

template <bool kQuantised, Finish kFinish>
void finish_rows(const FinishArguments& given) {
  std::int64_t first = 0;
  for (; first + kWide <= given.columns; first += kWide)
    finish_columns<kQuantised, kFinish>(given, first, kWide);
  if (first < given.columns) finish_columns<kQuantised, kFinish>(given, first, given.columns - first);
}

// body.operator()<Finish>() for a kind of epilogue.
template <typename Body>
VLREID_INLINE void with_finish(int kind, const Body& body) {
  switch (static_cast<Finish>(kind)) {
  case Finish::store:
    return body.template operator()<Finish::store>();
  case Finish::add:
    return body.template operator()<Finish::add>();
  case Finish::quick_gelu:
    return body.template operator()<Finish::quick_gelu>();
  case Finish::relu:
    return body.template operator()<Finish::relu>();
  case Finish::add_relu:
    return body.template operator()<Finish::add_relu>();
  case Finish::quick_gelu_backward:
    return body.template operator()<Finish::quick_gelu_backward>();
  }
}

template <bool kQuantised>
void finish(const FinishArguments& given) {
  with_finish(given.kind, [&]<Finish kFinish>() { finish_rows<kQuantised, kFinish>(given); });
}

VLREID_INLINE void fetch_ahead(const TileArguments& given, int panel, std::int64_t begin, std::int64_t end) {
  const unsigned char* from = given.ahead + panel * given.panel_stride;
  for (std::int64_t line = begin; line < end; ++line)
    __builtin_prefetch(from + line * kLineBytes, 0, 2);
}

// Lines are fetched among the products, some every so many lines: all at once they would fill the queue for
// memory.
constexpr std::int64_t kLinesBetweenFetches = 8;

// The first kCount rows of a tile whose sums are vectors `Dot::Sums`: kCount x kPanels * Dot::kVectors of
// them stay in registers.
template <class Dot, int kRows, int kPanels, int kCount>
void tile_of_rows(const TileArguments& given) {
  using Sums = typename Dot::Sums;
  constexpr int kVectors = kLineBytes / sizeof(Sums); // of a panel
  constexpr int kColumns = kPanels * kVectors;
  constexpr int kWidth = kPanels * kPanelWidth;
  constexpr int kLanes = kPanelWidth / kVectors;
  Sums sums[kCount][kColumns];
#pragma GCC unroll 16
  for (int r = 0; r < kCount; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c)
      if (given.adds)
        __builtin_memcpy(&sums[r][c], given.sums + r * kWidth + c * kLanes, sizeof(Sums));
      else
        sums[r][c] = Sums{};
  const unsigned char* group = given.group;
  const unsigned char* panel = given.panel;
  const std::int64_t fetched = (given.ahead_lines * kLinesBetweenFetches + given.lines - 1) / given.lines;
  std::int64_t ahead = 0;
  for (std::int64_t line = 0; line < given.lines; ahead += fetched) {
    const std::int64_t last = ahead + fetched < given.ahead_lines ? ahead + fetched : given.ahead_lines;
#pragma GCC unroll 8
    for (int p = 0; p < kPanels; ++p)
      fetch_ahead(given, p, ahead, last);
    const std::int64_t end =
        line + kLinesBetweenFetches < given.lines ? line + kLinesBetweenFetches : given.lines;
    for (; line < end; ++line) {
      typename Dot::Line b[kColumns];
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c)
        __builtin_memcpy(&b[c], panel + (c / kVectors) * given.panel_stride + (c % kVectors) * sizeof(Sums),
                         sizeof(Sums));
#pragma GCC unroll 16
      for (int r = 0; r < kCount; ++r) {
        const auto a = Dot::everywhere(group + r * sizeof(Word));
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c)
          sums[r][c] = Dot::add(sums[r][c], a, b[c]);
      }
      group += kRows * sizeof(Word);
      panel += kLineBytes;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kCount; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c)
      __builtin_memcpy(given.sums + r * kWidth + c * kLanes, &sums[r][c], sizeof(Sums));
}

// No more than given.rows of a tile's rows: those of the last group of a strip may be few.
template <class Dot, int kRows, int kPanels, int kCount = kRows>
VLREID_INLINE void tile(const TileArguments& given) {
  if constexpr (kCount > 1)
    if (given.rows < kCount) return tile<Dot, kRows, kPanels, kCount - 1>(given);
  tile_of_rows<Dot, kRows, kPanels, kCount>(given);
}

// Numbers of float32.
template <int kLanes>
struct FloatDot {
  using Sums [[gnu::vector_size(kLanes * sizeof(float))]] = float;
  using Line = Sums;
  static VLREID_INLINE float everywhere(const unsigned char* cell) {
    float x;
    __builtin_memcpy(&x, cell, sizeof x);
    return x;
  }
  static VLREID_INLINE Sums add(Sums sums, float a, Line b) { return sums + a * b; }
};

} // namespace
} // namespace vlreid
