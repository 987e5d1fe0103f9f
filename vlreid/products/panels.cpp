#include <algorithm>
#include <cstring>

#include "vlreid/base/error.h"
#include "vlreid/base/memory.h"
#include "vlreid/products/kernel_parts.h"
#include "vlreid/products/products.h"
#include "vlreid/products/selection.h"

namespace vlreid {
namespace {

// From this size on memory is mapped: neighbours share huge pages.
constexpr std::int64_t kMappedLines = (std::int64_t{1} << 21) / kLineBytes;

// Rows of a matrix that is read by columns are fetched so many rows beforehand.
constexpr std::int64_t kRowsAhead = 16;

// A tile may read up to this many panels more than there are.
constexpr std::int64_t kMostTilePanels = 2;

} // namespace

void Lines::make_room(std::int64_t count) {
  if (lines_ != nullptr && count <= lines_.get_deleter().count) return;
  lines_.reset();
  const std::size_t bytes = count * sizeof(Line);
  void* memory = count >= kMappedLines ? map_memory(bytes) : std::aligned_alloc(kLineBytes, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  lines_ = std::unique_ptr<Line[], Free>(static_cast<Line*>(memory), Free{count});
}

void Lines::Free::operator()(Line* lines) const {
  if (count >= kMappedLines)
    unmap_memory(lines, count * sizeof(Line));
  else
    std::free(lines);
}

Panels::Panels(std::int64_t rows, std::int64_t dims, ProductType type)
    : Panels(fastest_kernel(type), rows, dims) {}

Panels::Panels(const ProductKernel& kernel, std::int64_t rows, std::int64_t dims) : kernel_(&kernel) {
  resize(rows, dims);
}

void Panels::resize(std::int64_t rows, std::int64_t dims) {
  VLREID_ASSERT(rows >= 0 && dims >= 0);
  rows_ = rows;
  dims_ = dims;
  panel_lines_ = lines_of(*kernel_, dims);
  const std::int64_t padded = (panels() + kMostTilePanels - 1) / kMostTilePanels * kMostTilePanels;
  lines_.make_room(std::max<std::int64_t>(padded * panel_lines_, 1));
  std::memset(lines_.get() + panels() * panel_lines_, 0, (padded - panels()) * panel_lines_ * kLineBytes);
  if (is_quantised(kernel_->b)) {
    scales_.resize(panels() * kPanelRows);
    sums_.resize(panels() * kPanelRows);
  }
}

Panels::Panels(RowBlock b, std::int64_t dims, ProductType type) : Panels(b.rows, dims, type) {
  for (std::int64_t number = 0; number < panels(); ++number)
    fill(number, b.values, b.stride);
}

void Panels::fill(std::int64_t panel, const float* b, std::int64_t stride) {
  if (stride == 0) stride = dims_;
  fill_rows(panel, b + panel * kPanelRows * stride, stride);
}

void Panels::fill_rows(std::int64_t panel, const float* rows, std::int64_t stride) {
  const std::int64_t first = panel * kPanelRows;
  PackArguments fill{.rows = rows,
                     .stride = stride,
                     .count = std::min(kPanelRows, rows_ - first),
                     .dims = dims_,
                     .lines = panel_lines_,
                     .cells = lines_.get()[panel * panel_lines_].bytes};
  float steps[kPanelRows];
  if (is_quantised(kernel_->b)) {
    for (std::int64_t r = 0; r < fill.count; ++r)
      steps[r] = scale_row(first + r, rows + r * stride);
    fill.steps = steps;
  }
  std::vector<float> split_rows; // [count, 3 dims]
  if (kernel_->is_split) {
    std::vector<float> parts;
    for (std::int64_t r = 0; r < fill.count; ++r) {
      split_row(rows + r * stride, dims_, SplitOrder::upper_lower_upper, parts);
      split_rows.insert(split_rows.end(), parts.begin(), parts.end());
    }
    fill.rows = split_rows.data();
    fill.stride = fill.dims = 3 * dims_;
  }
  kernel_->fill(fill);
}

float Panels::scale_row(std::int64_t number, const float* row) {
  const float largest = kernel_->largest(row, dims_);
  const float steps = largest > 0 ? kLargest8Bit / largest : 0.0F;
  scales_[number] = largest / kLargest8Bit;
  sums_[number] = 0;
  for (std::int64_t d = 0; d < dims_; ++d)
    sums_[number] += rounded(row[d] * steps);
  return steps;
}

void Panels::fill(std::int64_t panel, const Numbers& b) {
  const std::int64_t first = panel * kPanelRows;
  const std::int64_t count = std::min(kPanelRows, rows_ - first);
  const Numbers rows = b.from(first, 0);
  const bool is_f32 = b.narrow == nullptr;
  if (kernel_->packs_any) {
    PackArguments fill = pack_arguments(rows);
    fill.count = count;
    fill.dims = dims_;
    fill.lines = panel_lines_;
    fill.cells = lines_.get()[panel * panel_lines_].bytes;
    return kernel_->fill(fill);
  }
  if (is_f32 && !b.is_transposed) return fill_rows(panel, rows.floats, b.stride);
  const bool takes_columns = kernel_->b == Cell::f32 || kernel_->fill_transposed != nullptr;
  if (is_f32 && takes_columns && !kernel_->is_split) return fill_columns(panel, rows.floats, b.stride);
  std::vector<float> floats; // the panel's part of B itself
  copy_rows(rows, count, dims_, floats);
  fill_rows(panel, floats.data(), dims_);
}

void Panels::fill_columns(std::int64_t panel, const float* columns, std::int64_t stride) {
  const std::int64_t count = std::min(kPanelRows, rows_ - panel * kPanelRows);
  if (kernel_->b == Cell::f32) {
    Lines::Line* lines = lines_.get() + panel * panel_lines_;
    for (std::int64_t d = 0; d < dims_; ++d) {
      const float* from = columns + d * stride;
      __builtin_prefetch(columns + std::min(d + kRowsAhead, dims_ - 1) * stride);
      if (count == kPanelRows) {
        std::memcpy(lines[d].bytes, from, kLineBytes);
      } else {
        std::memset(lines[d].bytes, 0, kLineBytes);
        std::memcpy(lines[d].bytes, from, count * sizeof(float));
      }
    }
    return;
  }
  kernel_->fill_transposed({.rows = columns,
                            .stride = stride,
                            .count = count,
                            .dims = dims_,
                            .lines = panel_lines_,
                            .cells = lines_.get()[panel * panel_lines_].bytes});
}

} // namespace vlreid
