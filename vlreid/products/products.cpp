#include "vlreid/products/products.h"

#include <algorithm>
#include <cstring>

#include "vlreid/base/error.h"
#include "vlreid/products/kernels.h"

namespace vlreid {
namespace {

static_assert(Panels::kPanelRows == kTilePanelRows);

// Rows of A that stay in the second-level cache while the panels pass by, at the depth of a strip: 126 KiB.
constexpr std::int64_t kStripRows = 126; // a multiple of 2, 6 and 14
constexpr std::int64_t kStripDepth = 256;
constexpr int kMostTilePanels = 2;

const TileKernel& fastest_kernel() {
  static const TileKernel& fastest = *kernels_of_this_processor().front();
  return fastest;
}

// Part [rows, depth] of A as groups [depth, group]; the last one may be short of rows.
void copy_strip(const float* a, std::int64_t dims, std::int64_t rows, std::int64_t depth, std::int64_t group,
                float* strip) {
  for (std::int64_t first = 0; first < rows; first += group, strip += group * depth) {
    const std::int64_t count = std::min(group, rows - first);
    for (std::int64_t r = 0; r < count; ++r) {
      const float* row = a + (first + r) * dims;
      for (std::int64_t d = 0; d < depth; ++d)
        strip[d * group + r] = row[d];
    }
  }
}

// One strip against some panels; `arguments` says where the first tile starts.
void multiply_strip(const TileKernel& tiles, std::int64_t rows, TileArguments arguments) {
  const std::int64_t groups = (rows + tiles.rows - 1) / tiles.rows;
  arguments.ahead = arguments.panel + tiles.panels * arguments.panel_stride;
  arguments.ahead_lines = (arguments.depth + groups - 1) / groups;
  for (std::int64_t r = 0; r < rows; r += tiles.rows) {
    tiles.by_rows[std::min<std::int64_t>(tiles.rows, rows - r)](arguments);
    arguments.group += tiles.rows * arguments.depth;
    arguments.ahead += arguments.ahead_lines * Panels::kPanelRows;
    arguments.out += tiles.rows * arguments.out_stride;
  }
}

// Where the tile is wider than what is asked for: through a buffer of whole tiles.
void multiply_strip_edge(const TileKernel& tiles, std::int64_t rows, std::int64_t columns,
                         TileArguments arguments) {
  constexpr std::int64_t kWidth = kMostTilePanels * Panels::kPanelRows;
  alignas(64) float whole[kStripRows * kWidth];
  float* out = arguments.out;
  const std::int64_t stride = arguments.out_stride;
  const bool adds = arguments.adds;
  arguments.out = whole;
  arguments.out_stride = kWidth;
  arguments.adds = false;
  multiply_strip(tiles, rows, arguments);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c)
      out[r * stride + c] = adds ? out[r * stride + c] + whole[r * kWidth + c] : whole[r * kWidth + c];
  }
}

} // namespace

Panels::Panels(std::int64_t rows, std::int64_t dims) : rows_(rows), dims_(dims) {
  VLREID_ASSERT(rows >= 0 && dims >= 0);
  // A tile may read up to kMostTilePanels - 1 panels more than there are.
  const std::int64_t padded = (panels() + kMostTilePanels - 1) / kMostTilePanels * kMostTilePanels;
  lines_ = std::make_unique_for_overwrite<Line[]>(padded * dims);
  std::fill(lines_.get() + panels() * dims, lines_.get() + padded * dims, Line{});
}

Panels::Panels(RowBlock b, std::int64_t dims) : Panels(b.rows, dims) {
  for (std::int64_t number = 0; number < panels(); ++number)
    fill(number, b.values);
}

void Panels::fill(std::int64_t panel, const float* b) {
  const std::int64_t first = panel * kPanelRows;
  const std::int64_t count = std::min(kPanelRows, rows_ - first);
  Line* lines = lines_.get() + panel * dims_;
  for (std::int64_t d = 0; d < dims_; ++d) {
    for (std::int64_t r = 0; r < count; ++r)
      lines[d].values[r] = b[(first + r) * dims_ + d];
    std::fill(lines[d].values + count, lines[d].values + kPanelRows, 0.0F);
  }
}

std::vector<const TileKernel*> kernels_of_this_processor() {
  std::vector<const TileKernel*> kernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) kernels.push_back(&avx512_tiles());
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernels.push_back(&avx2_tiles());
#endif
  kernels.push_back(&plain_tiles());
  return kernels;
}

void multiply_with(const TileKernel& tiles, RowBlock a, const Panels& b, ColumnRange columns, float* out,
                   std::int64_t stride) {
  VLREID_ASSERT(columns.first % Panels::kPanelRows == 0 && columns.first + columns.count <= b.rows());
  const std::int64_t dims = b.dims();
  const std::int64_t width = tiles.panels * Panels::kPanelRows;
  const std::int64_t first_panel = columns.first / Panels::kPanelRows;
  alignas(64) thread_local float strip[kStripRows * kStripDepth];
  for (std::int64_t row = 0; row < a.rows; row += kStripRows) {
    const std::int64_t rows = std::min(kStripRows, a.rows - row);
    for (std::int64_t d = 0; d < dims; d += kStripDepth) {
      const std::int64_t depth = std::min(kStripDepth, dims - d);
      copy_strip(a.values + row * dims + d, dims, rows, depth, tiles.rows, strip);
      for (std::int64_t c = 0; c < columns.count; c += width) {
        const float* panel = b.panel(first_panel + c / Panels::kPanelRows) + d * Panels::kPanelRows;
        const TileArguments arguments{.group = strip,
                                      .panel = panel,
                                      .panel_stride = Panels::kPanelRows * dims,
                                      .depth = depth,
                                      .out = out + row * stride + c,
                                      .out_stride = stride,
                                      .adds = d > 0};
        const std::int64_t left = columns.count - c;
        if (left >= width)
          multiply_strip(tiles, rows, arguments);
        else
          multiply_strip_edge(tiles, rows, left, arguments);
      }
    }
  }
}

void multiply(RowBlock a, const Panels& b, ColumnRange columns, float* out, std::int64_t stride) {
  multiply_with(fastest_kernel(), a, b, columns, out, stride);
}

const char* product_kernel() {
  return fastest_kernel().name;
}

} // namespace vlreid
