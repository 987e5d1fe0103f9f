#include <algorithm>
#include <cstring>

#include "vlreid/base/error.h"
#include "vlreid/base/memory.h"
#include "vlreid/products/kernel_parts.h"
#include "vlreid/products/products.h"
#include "vlreid/products/selection.h"

namespace vlreid {
namespace {

constexpr std::int64_t kHugePage = std::int64_t{1} << 21;

// Rows of a matrix that is read by columns are fetched so many rows beforehand.
constexpr std::int64_t kRowsAhead = 16;

// A tile may read up to this many panels more than there are.
constexpr std::int64_t kMostTilePanels = 2;

} // namespace

Lines::Lines(std::int64_t count) {
  const std::int64_t bytes = std::max<std::int64_t>(count, 1) * kLineBytes;
  const bool is_large = bytes >= kHugePage;
  const std::int64_t alignment = is_large ? kHugePage : kLineBytes;
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  if (is_large) prefer_huge_pages(memory, bytes);
  lines_.reset(static_cast<Line*>(memory));
}

void Lines::Free::operator()(Line* lines) const {
  std::free(lines);
}

Panels::Panels(std::int64_t rows, std::int64_t dims, ProductType type)
    : Panels(fastest_kernel(type), rows, dims) {}

Panels::Panels(const ProductKernel& kernel, std::int64_t rows, std::int64_t dims)
    : kernel_(&kernel), rows_(rows), dims_(dims) {
  VLREID_ASSERT(rows >= 0 && dims >= 0);
  panel_lines_ = lines_of(kernel, dims);
  const std::int64_t padded = (panels() + kMostTilePanels - 1) / kMostTilePanels * kMostTilePanels;
  lines_ = Lines(padded * panel_lines_);
  std::memset(lines_.get() + panels() * panel_lines_, 0, (padded - panels()) * panel_lines_ * kLineBytes);
  if (is_quantised(kernel.b)) {
    scales_.resize(panels() * kPanelRows);
    sums_.resize(panels() * kPanelRows);
  }
}

Panels::Panels(RowBlock b, std::int64_t dims, ProductType type) : Panels(b.rows, dims, type) {
  for (std::int64_t number = 0; number < panels(); ++number)
    fill(number, b.values, b.stride);
}

namespace {

using FillRow = void (*)(const float* row, std::int64_t dims, std::int64_t lines, float steps, Word* column);

// One row of B as a column of cells [lines, 16].
template <Cell kCell>
void fill_row(const float* row, std::int64_t dims, std::int64_t lines, float steps, Word* column) {
  Word cells[kCellsPacked];
  for (std::int64_t first = 0; first < lines; first += kCellsPacked) {
    const std::int64_t count = std::min(kCellsPacked, lines - first);
    cells_of<kCell>(row, dims, first, count, steps, cells);
    for (std::int64_t i = 0; i < count; ++i)
      column[(first + i) * kPanelWidth] = cells[i];
  }
}

FillRow fill_row_of(Cell cell) {
  switch (cell) {
  case Cell::f32:
    return fill_row<Cell::f32>;
  case Cell::bf16_in_f32:
    return fill_row<Cell::bf16_in_f32>;
  case Cell::bf16x2:
    return fill_row<Cell::bf16x2>;
  case Cell::s16x2:
    return fill_row<Cell::s16x2>;
  case Cell::s8x4:
    return fill_row<Cell::s8x4>;
  case Cell::u8x4:
    break;
  }
  return fill_row<Cell::u8x4>;
}

} // namespace

void Panels::fill(std::int64_t panel, const float* b, std::int64_t stride) {
  if (stride == 0) stride = dims_;
  fill_rows(panel, b + panel * kPanelRows * stride, stride);
}

void Panels::fill_rows(std::int64_t panel, const float* rows, std::int64_t stride) {
  const std::int64_t first = panel * kPanelRows;
  const std::int64_t count = std::min(kPanelRows, rows_ - first);
  Word* cells = reinterpret_cast<Word*>(lines_.get()[panel * panel_lines_].bytes);
  const FillRow fill_one = fill_row_of(kernel_->b);
  std::vector<float> parts;
  for (std::int64_t r = 0; r < kPanelRows; ++r) {
    if (r >= count) {
      for (std::int64_t line = 0; line < panel_lines_; ++line)
        cells[line * kPanelWidth + r] = 0;
      continue;
    }
    const float* row = rows + r * stride;
    std::int64_t dims = dims_;
    if (kernel_->is_split) {
      split_row(row, dims_, SplitOrder::upper_lower_upper, parts);
      row = parts.data();
      dims = static_cast<std::int64_t>(parts.size());
    }
    float steps = 1;
    if (is_quantised(kernel_->b)) {
      const float largest = kernel_->largest(row, dims);
      steps = largest > 0 ? kLargest8Bit / largest : 0.0F;
      scales_[first + r] = largest / kLargest8Bit;
      std::int32_t sum = 0;
      for (std::int64_t d = 0; d < dims; ++d)
        sum += rounded(row[d] * steps);
      sums_[first + r] = sum;
    }
    fill_one(row, dims, panel_lines_, steps, cells + r);
  }
}

void Panels::fill_transposed(std::int64_t panel, const float* b, std::int64_t stride) {
  const std::int64_t first = panel * kPanelRows;
  const std::int64_t count = std::min(kPanelRows, rows_ - first);
  if (kernel_->b == Cell::f32) {
    Lines::Line* lines = lines_.get() + panel * panel_lines_;
    for (std::int64_t d = 0; d < dims_; ++d) {
      __builtin_prefetch(b + std::min(d + kRowsAhead, dims_ - 1) * stride + first);
      std::memcpy(lines[d].bytes, b + d * stride + first, count * sizeof(float));
      std::memset(lines[d].bytes + count * sizeof(float), 0, kLineBytes - count * sizeof(float));
    }
    return;
  }
  std::vector<float> rows(count * dims_); // the panel's part of B itself
  for (std::int64_t d = 0; d < dims_; ++d)
    for (std::int64_t r = 0; r < count; ++r)
      rows[r * dims_ + d] = b[d * stride + first + r];
  fill_rows(panel, rows.data(), dims_);
}

} // namespace vlreid
