// What the sources of several instruction sets share as text: compiled by each with its own flags, so
// everything is in an anonymous namespace and nothing outside the language is used but GCC's vectors.
#pragma once

#include "vlreid/products/kernel.h"

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
    for (std::int64_t i = 0; i < count; ++i, cells += kRows) {
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r)
        cells[r] = part[r][i];
    }
  }
}

inline float largest_magnitude(const float* x, std::int64_t count) {
  constexpr int kLanes = 16;
  float lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int lane = 0; lane < kLanes; ++lane) {
      const float magnitude = __builtin_fabsf(x[i + lane]);
      lanes[lane] = magnitude > lanes[lane] ? magnitude : lanes[lane];
    }
  for (; i < count; ++i)
    lanes[0] = __builtin_fabsf(x[i]) > lanes[0] ? __builtin_fabsf(x[i]) : lanes[0];
  float largest = 0;
  for (const float lane : lanes)
    largest = lane > largest ? lane : largest;
  return largest;
}

// e^x to about 1e-7 relative for |x| <= 87, clamped outside: range reduction to |r| <= ln(2)/2 and Taylor's
// series to r^7.
VLREID_INLINE float fast_exp(float x) {
  x = x > 87.0F ? 87.0F : x;
  x = x < -87.0F ? -87.0F : x;
  const float shifted = x * 1.44269504F + kRounding;
  const float n = shifted - kRounding;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F; // ln 2 in two parts
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return p * float_of((word_of(shifted) << 23) + 0x3F800000U);
}

enum class Finish { store, add, quick_gelu, relu, add_relu }; // Epilogue::Kind

// The columns [first, first + columns) of every row.
template <bool kQuantised, Finish kFinish>
VLREID_INLINE void finish_columns(const FinishArguments& given, std::int64_t first, std::int64_t columns) {
  const float* bias = given.bias == nullptr ? nullptr : given.bias + first;
  const float* scales = kQuantised ? given.column_scales + first : nullptr;
  const std::int32_t* offsets = given.column_sums == nullptr ? nullptr : given.column_sums + first;
  for (std::int64_t r = 0; r < given.rows; ++r) {
    const float* sums = given.sums + r * given.width + first;
    float* __restrict out = given.out + r * given.stride + first;
    for (std::int64_t c = 0; c < columns; ++c) {
      float x = sums[c];
      if constexpr (kQuantised) {
        std::int32_t exact = __builtin_bit_cast(std::int32_t, x);
        if (offsets != nullptr) exact -= kOffsetOfU8 * offsets[c];
        x = static_cast<float>(exact) * (given.row_scales[r] * scales[c]);
      }
      if (bias != nullptr) x += bias[c];
      if constexpr (kFinish == Finish::store) out[c] = x;
      if constexpr (kFinish == Finish::add) out[c] += x;
      if constexpr (kFinish == Finish::quick_gelu) out[c] = x / (1.0F + fast_exp(-1.702F * x));
      if constexpr (kFinish == Finish::add_relu) x += out[c];
      if constexpr (kFinish == Finish::relu || kFinish == Finish::add_relu) out[c] = x > 0.0F ? x : 0.0F;
    }
  }
}

template <bool kQuantised, Finish kFinish>
void finish_rows(const FinishArguments& given) {
  std::int64_t first = 0;
  for (; first + kPanelWidth <= given.columns; first += kPanelWidth)
    finish_columns<kQuantised, kFinish>(given, first, kPanelWidth);
  if (first < given.columns) finish_columns<kQuantised, kFinish>(given, first, given.columns - first);
}

template <bool kQuantised>
void finish(const FinishArguments& given) {
  switch (static_cast<Finish>(given.kind)) {
  case Finish::store:
    return finish_rows<kQuantised, Finish::store>(given);
  case Finish::add:
    return finish_rows<kQuantised, Finish::add>(given);
  case Finish::quick_gelu:
    return finish_rows<kQuantised, Finish::quick_gelu>(given);
  case Finish::relu:
    return finish_rows<kQuantised, Finish::relu>(given);
  case Finish::add_relu:
    return finish_rows<kQuantised, Finish::add_relu>(given);
  }
}

// A tile whose sums are vectors `Dot::Sums`: kRows x kPanels * Dot::kVectors of them stay in registers.
template <class Dot, int kRows, int kPanels>
void tile(const TileArguments& given) {
  using Sums = typename Dot::Sums;
  constexpr int kVectors = kLineBytes / sizeof(Sums); // of a panel
  constexpr int kColumns = kPanels * kVectors;
  constexpr int kWidth = kPanels * kPanelWidth;
  constexpr int kLanes = kPanelWidth / kVectors;
  for (std::int64_t line = 0; line < given.ahead_lines; ++line)
    __builtin_prefetch(given.ahead + line * kLineBytes, 0, 2);
  Sums sums[kRows][kColumns];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c)
      if (given.adds)
        __builtin_memcpy(&sums[r][c], given.sums + r * kWidth + c * kLanes, sizeof(Sums));
      else
        sums[r][c] = Sums{};
  const unsigned char* group = given.group;
  const unsigned char* panel = given.panel;
  for (std::int64_t line = 0; line < given.lines; ++line) {
    typename Dot::Line b[kColumns];
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c)
      __builtin_memcpy(&b[c], panel + (c / kVectors) * given.panel_stride + (c % kVectors) * sizeof(Sums),
                       sizeof(Sums));
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const auto a = Dot::everywhere(group + r * sizeof(Word));
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c)
        sums[r][c] = Dot::add(sums[r][c], a, b[c]);
    }
    group += kRows * sizeof(Word);
    panel += kLineBytes;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c)
      __builtin_memcpy(given.sums + r * kWidth + c * kLanes, &sums[r][c], sizeof(Sums));
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
