// The innermost loop of a product: a tile of kRows x (kPanels * 16) sums that stay in registers. Included by
// one source for each instruction set, compiled with that set: nothing here may be shared between them, so
// everything is in an anonymous namespace and no library header is included but <cstdint>.
#pragma once

#include <cstdint>

namespace vlreid {

inline constexpr int kTilePanelRows = 16;

struct TileArguments {
  const float* group = nullptr; // [depth, TileKernel::rows] of A
  const float* panel = nullptr; // [depth, 16] of B, the next panel `panel_stride` floats further
  std::int64_t panel_stride = 0;
  std::int64_t depth = 0;
  float* out = nullptr; // [rows, panels * 16], rows `out_stride` floats apart
  std::int64_t out_stride = 0;
  bool adds = false; // to what is in out
  // Cache lines that later tiles read, fetched meanwhile.
  const float* ahead = nullptr;
  std::int64_t ahead_lines = 0;
};

using TileFunction = void (*)(const TileArguments&);

inline constexpr int kMostTileRows = 14;

// What an instruction set offers.
struct TileKernel {
  const char* name = "";
  int rows = 0;                                 // of the largest tile, and of a group of A
  int panels = 0;                               // of every tile
  TileFunction by_rows[kMostTileRows + 1] = {}; // [rows]: tiles of the first 1 to `rows` rows of a group
};

const TileKernel& plain_tiles();
#if defined(__x86_64__)
const TileKernel& avx2_tiles();
const TileKernel& avx512_tiles();
#endif

namespace {

// kLanes floats a register, kVectors registers a panel.
template <int kLanes>
struct Tiles {
  using Floats [[gnu::vector_size(kLanes * sizeof(float))]] = float;
  static constexpr int kVectors = kTilePanelRows / kLanes;

  template <int kGroup, int kPanels, int kRows>
  static void tile(const TileArguments& given) {
    constexpr int kColumns = kPanels * kVectors;
    Floats sums[kRows][kColumns] = {};
    for (std::int64_t line = 0; line < given.ahead_lines; ++line)
      __builtin_prefetch(given.ahead + line * kTilePanelRows);
    const float* group = given.group;
    const float* panel = given.panel;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c <= kPanels; ++c)
        __builtin_prefetch(given.out + r * given.out_stride + c * kTilePanelRows - (c == kPanels), 1);
    for (std::int64_t k = 0; k < given.depth; ++k) {
      Floats b[kColumns];
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        const float* place = panel + (c / kVectors) * given.panel_stride + (c % kVectors) * kLanes;
        __builtin_memcpy(&b[c], place, sizeof(Floats));
      }
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const float a = group[r];
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c)
          sums[r][c] += a * b[c];
      }
      group += kGroup;
      panel += kTilePanelRows;
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        float* place = given.out + r * given.out_stride + c * kLanes;
        if (given.adds) {
          Floats before;
          __builtin_memcpy(&before, place, sizeof(Floats));
          sums[r][c] += before;
        }
        __builtin_memcpy(place, &sums[r][c], sizeof(Floats));
      }
    }
  }

  template <int kGroup, int kPanels, int kRows = kGroup>
  static constexpr void list(TileKernel& kernel) {
    kernel.by_rows[kRows] = &tile<kGroup, kPanels, kRows>;
    if constexpr (kRows > 1) list<kGroup, kPanels, kRows - 1>(kernel);
  }

  template <int kGroup, int kPanels>
  static constexpr TileKernel kernel(const char* name) {
    static_assert(kGroup <= kMostTileRows);
    TileKernel result;
    result.name = name;
    result.rows = kGroup;
    result.panels = kPanels;
    list<kGroup, kPanels>(result);
    return result;
  }
};

} // namespace
} // namespace vlreid
