#include "vlreid/products/products.h"

#include <algorithm>
#include <cstring>

#include "vlreid/base/error.h"
#include "vlreid/products/kernel_parts.h"
#include "vlreid/products/kernels.h"
#include "vlreid/products/selection.h"

namespace vlreid {
namespace {

static_assert(Panels::kPanelRows == kPanelWidth);
static_assert(static_cast<int>(Epilogue::Kind::store) == static_cast<int>(Finish::store) &&
              static_cast<int>(Epilogue::Kind::add) == static_cast<int>(Finish::add) &&
              static_cast<int>(Epilogue::Kind::quick_gelu) == static_cast<int>(Finish::quick_gelu) &&
              static_cast<int>(Epilogue::Kind::add_relu) == static_cast<int>(Finish::add_relu) &&
              static_cast<int>(Epilogue::Kind::quick_gelu_backward) ==
                  static_cast<int>(Finish::quick_gelu_backward));

constexpr std::int64_t kMostSums = (512 + 32) * 32; // of a strip of rows and a tile's columns
// At most so many tiles share the fetching of the panel part that comes next, among their own work.
constexpr std::int64_t kFetchingTiles = 16;

ProductKernel split(const ProductKernel& kernel) {
  ProductKernel result = kernel;
  result.is_split = true;
  result.packs_any = false;
  result.packs_sums = false; // rows of the next product would have to be split first
  return result;
}

// Rows are pages apart, which no processor foresees. Addresses beyond the last row do no harm.
void fetch_for_writing(const float* out, std::int64_t stride, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; ++r)
    __builtin_prefetch(out + r * stride, 1);
}

// Rows of a matrix that is read by columns are fetched so many rows beforehand.
constexpr std::int64_t kRowsAhead = 8;

// An even number of numbers, too few for a call.
void copy_few(const float* from, int count, Word* to) {
  for (int i = 0; i < count; i += 2)
    std::memcpy(to + i, from + i, 2 * sizeof(Word));
}

std::int64_t groups_of(const ProductKernel& kernel, std::int64_t rows) {
  return (rows + kernel.rows - 1) / kernel.rows;
}

} // namespace

const ProductKernel& fastest_kernel(ProductType type) {
  static const ProductKernel& f32 = *kernels_of_this_processor(ProductType::f32).front();
  static const ProductKernel& bf16 = *kernels_of_this_processor(ProductType::bf16).front();
  static const ProductKernel bf16x3 = split(bf16);
  static const ProductKernel& int8 = *kernels_of_this_processor(ProductType::int8).front();
  switch (type) {
  case ProductType::f32:
    return f32;
  case ProductType::bf16:
    return bf16;
  case ProductType::bf16x3:
    return bf16x3;
  case ProductType::int8:
    break;
  }
  return int8;
}

std::int64_t lines_of(const ProductKernel& kernel, std::int64_t dims) {
  const std::int64_t numbers = numbers_in(kernel.b), multiple = kernel.line_multiple;
  const std::int64_t lines = ((kernel.is_split ? 3 : 1) * dims + numbers - 1) / numbers;
  return (lines + multiple - 1) / multiple * multiple;
}

void split_row(const float* row, std::int64_t dims, SplitOrder order, std::vector<float>& parts) {
  parts.resize(3 * dims);
  const bool is_lower_last = order == SplitOrder::upper_upper_lower;
  for (std::int64_t d = 0; d < dims; ++d) {
    const float upper = float_of(rounded_to_bf16(row[d]));
    const float lower = float_of(rounded_to_bf16(row[d] - upper));
    parts[d] = upper;
    parts[dims + d] = is_lower_last ? upper : lower;
    parts[2 * dims + d] = is_lower_last ? lower : upper;
  }
}

const char* product_kernel(ProductType type) {
  return fastest_kernel(type).name;
}

bool has_instructions_for(ProductType type) {
  const Cell cell = fastest_kernel(type).b;
  return type == ProductType::f32 || cell == Cell::bf16x2 || cell == Cell::s8x4;
}

bool reads_any_numbers(ProductType type) {
  return fastest_kernel(type).packs_any;
}

void copy_rows(const Numbers& numbers, std::int64_t rows, std::int64_t dims, std::vector<float>& floats) {
  floats.resize(rows * dims);
  const std::int64_t of_row = numbers.is_transposed ? 1 : numbers.stride;
  const std::int64_t of_dim = numbers.is_transposed ? numbers.stride : 1;
  const auto copy = [&](const auto& number) {
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t d = 0; d < dims; ++d)
        floats[r * dims + d] = number(r * of_row + d * of_dim);
  };
  if (numbers.narrow == nullptr)
    copy([&](std::int64_t i) { return numbers.floats[i]; });
  else
    copy([&](std::int64_t i) { return float_of(static_cast<Word>(numbers.narrow[i]) << 16); });
}

Numbers Numbers::from(std::int64_t row, std::int64_t column) const {
  const std::int64_t offset = is_transposed ? column * stride + row : row * stride + column;
  Numbers result = *this;
  if (narrow == nullptr)
    result.floats += offset;
  else
    result.narrow += offset;
  return result;
}

Numbers transposed(const Numbers& numbers) {
  Numbers result = numbers;
  result.is_transposed = !numbers.is_transposed;
  return result;
}

ProductOutput ProductOutput::from(std::int64_t row, std::int64_t column) const {
  ProductOutput result = *this;
  if (narrow == nullptr)
    result.values += row * stride + column;
  else
    result.narrow += row * stride + column;
  return result;
}

PackArguments pack_arguments(const Numbers& numbers) {
  return {.rows = numbers.floats,
          .narrow = reinterpret_cast<const std::uint16_t*>(numbers.narrow),
          .is_transposed = numbers.is_transposed,
          .stride = numbers.stride};
}

std::int64_t rows_at_once(const Panels& b) {
  return b.kernel().rows;
}

std::int64_t rows_that_stay_in_cache(const Panels& b) {
  const ProductKernel& kernel = b.kernel();
  const std::int64_t row_bytes = std::max<std::int64_t>(b.panel_lines() * sizeof(Word), 1);
  return std::clamp<std::int64_t>(kernel.strip_bytes / row_bytes, kernel.rows, kernel.most_strip_rows) /
         kernel.rows * kernel.rows;
}

Word* PackedRows::make_room(std::int64_t rows, const Panels& b) {
  const std::int64_t cells = groups_of(b.kernel(), rows) * b.kernel().rows * b.panel_lines();
  const std::int64_t cells_per_line = kLineBytes / static_cast<std::int64_t>(sizeof(Word));
  const std::int64_t needed = (cells + cells_per_line - 1) / cells_per_line;
  lines_.make_room(needed);
  rows_ = rows;
  return reinterpret_cast<Word*>(lines_.get()->bytes);
}

unsigned char* PackedRows::prepare(std::int64_t rows, const Panels& b) {
  return reinterpret_cast<unsigned char*>(make_room(rows, b));
}

void PackedRows::load(RowBlock a, const Panels& b) {
  begin(a.rows, b);
  load_some(a, 0, b);
}

void PackedRows::load(const Numbers& a, std::int64_t rows, const Panels& b) {
  const bool are_columns = a.narrow == nullptr && a.is_transposed;
  if (are_columns && b.kernel().a == Cell::f32) return load_columns(a.floats, rows, a.stride, b);
  begin(rows, b);
  load_some(a, 0, rows, b);
}

void PackedRows::begin(std::int64_t rows, const Panels& b) {
  make_room(rows, b);
  if (is_quantised(b.kernel().a)) scales_.resize(rows);
}

void PackedRows::load_some(RowBlock a, std::int64_t first, const Panels& b) {
  const ProductKernel& kernel = b.kernel();
  const std::int64_t stride = a.stride == 0 ? b.dims() : a.stride;
  std::vector<float> steps; // [rows]
  if (is_quantised(kernel.a)) {
    steps.resize(a.rows);
    for (std::int64_t r = 0; r < a.rows; ++r) {
      const float largest = kernel.largest(a.values + r * stride, b.dims());
      steps[r] = largest > 0 ? kLargest8Bit / largest : 0.0F;
      scales_[first + r] = largest / kLargest8Bit;
    }
  }
  std::vector<float> split_rows; // [group rows, 3 dims]
  std::vector<float> parts;
  for (std::int64_t row = 0; row < a.rows; row += kernel.rows) {
    PackArguments pack{.rows = a.values + row * stride,
                       .stride = stride,
                       .steps = steps.empty() ? nullptr : steps.data() + row};
    if (kernel.is_split) {
      split_rows.clear();
      for (std::int64_t r = 0; r < std::min<std::int64_t>(kernel.rows, a.rows - row); ++r) {
        split_row(pack.rows + r * stride, b.dims(), SplitOrder::upper_upper_lower, parts);
        split_rows.insert(split_rows.end(), parts.begin(), parts.end());
      }
      pack.rows = split_rows.data();
      pack.stride = 3 * b.dims();
    }
    pack_group(pack, first + row, a.rows - row, b);
  }
}

void PackedRows::load_some(const Numbers& a, std::int64_t first, std::int64_t count, const Panels& b) {
  if (!b.kernel().packs_any) {
    if (a.narrow == nullptr && !a.is_transposed) return load_some({a.floats, count, a.stride}, first, b);
    thread_local std::vector<float> floats; // [count, dims]
    copy_rows(a, count, b.dims(), floats);
    return load_some({floats.data(), count}, first, b);
  }
  for (std::int64_t row = 0; row < count; row += b.kernel().rows)
    pack_group(pack_arguments(a.from(row, 0)), first + row, count - row, b);
}

void PackedRows::load_some(const PiecedRows& a, std::int64_t first, std::int64_t count, const Panels& b) {
  VLREID_ASSERT(b.kernel().packs_any);
  VLREID_ASSERT(a.piece_dims % PiecedRows::kPieceUnit == 0 && b.dims() % a.piece_dims == 0);
  const std::int64_t of_row = b.dims() / a.piece_dims;
  for (std::int64_t row = 0; row < count; row += b.kernel().rows)
    pack_group({.pieces = reinterpret_cast<const std::uint16_t* const*>(a.pieces + row * of_row),
                .piece_dims = a.piece_dims},
               first + row, count - row, b);
}

void PackedRows::pack_group(PackArguments pack, std::int64_t first, std::int64_t count, const Panels& b) {
  const ProductKernel& kernel = b.kernel();
  VLREID_ASSERT(first % kernel.rows == 0 && first + count <= rows_);
  pack.count = std::min<std::int64_t>(kernel.rows, count);
  pack.dims = (kernel.is_split ? 3 : 1) * b.dims();
  pack.lines = b.panel_lines();
  pack.cells = lines_.get()->bytes + first * pack.lines * static_cast<std::int64_t>(sizeof(Word));
  kernel.pack(pack);
}

// `rows` columns of `a` [dims of b, rows], its rows `stride` floats apart.
void PackedRows::load_columns(const float* a, std::int64_t rows, std::int64_t stride, const Panels& b) {
  const ProductKernel& kernel = b.kernel();
  const std::int64_t dims = b.dims();
  // A group's line is that many numbers of `a` as they lie.
  VLREID_ASSERT(kernel.line_multiple == 1);
  Word* cells = make_room(rows, b);
  const std::int64_t whole = rows / kernel.rows, rest = rows % kernel.rows;
  for (std::int64_t d = 0; d < dims; ++d) {
    const float* from = a + d * stride;
    Word* line = cells + d * kernel.rows;
    if (d + kRowsAhead < dims)
      for (std::int64_t r = 0; r < rows; r += kLineBytes / static_cast<std::int64_t>(sizeof(Word)))
        __builtin_prefetch(from + kRowsAhead * stride + r);
    for (std::int64_t g = 0; g < whole; ++g, from += kernel.rows, line += kernel.rows * dims)
      copy_few(from, kernel.rows, line);
    if (rest == 0) continue;
    std::memset(line, 0, kernel.rows * sizeof(Word));
    std::memcpy(line, from, rest * sizeof(float));
  }
}

namespace {

class KernelInUse {
public:
  explicit KernelInUse(const ProductKernel& kernel) : kernel_(kernel) {
    if (kernel_.begin != nullptr) kernel_.begin();
  }
  KernelInUse(const KernelInUse&) = delete;
  KernelInUse& operator=(const KernelInUse&) = delete;
  ~KernelInUse() {
    if (kernel_.end != nullptr) kernel_.end();
  }

private:
  const ProductKernel& kernel_;
};

// Where numbers of the result go: to memory, or as bfloat16 to the cells of PackedRows.
struct Destination {
  ProductOutput memory;
  unsigned char* cells = nullptr; // [groups, columns / 32, 32 rows, 32]
  std::int64_t row_bytes = 0;     // of the cells of one row

  void set(FinishArguments& finish, std::int64_t row, std::int64_t column) const {
    if (memory.narrow != nullptr) {
      finish.narrow = reinterpret_cast<unsigned char*>(memory.narrow + row * memory.stride + column);
      finish.narrow_stride = memory.stride * static_cast<std::int64_t>(sizeof(Bf16));
    } else if (cells == nullptr) {
      finish.out = memory.values + row * memory.stride + column;
      finish.stride = memory.stride;
    } else {
      // `row` is a group's first.
      finish.narrow = cells + row * row_bytes + column * kLineBytes;
      finish.narrow_stride = kLineBytes;
    }
  }

  void fetch(std::int64_t row, std::int64_t column, std::int64_t rows) const {
    if (memory.values == nullptr) return;
    fetch_for_writing(memory.values + row * memory.stride + column, memory.stride, rows);
  }
};

// The product of a strip of rows and some of B, a tile's width of columns at a time.
class StripProduct {
public:
  StripProduct(const PackedRows& a, const Panels& b, ColumnRange columns, const Epilogue& epilogue,
               const Destination& out)
      : a_(a), b_(b), kernel_(b.kernel()), columns_(columns), epilogue_(epilogue), out_(out) {
    VLREID_ASSERT(groups_ * kernel_.rows * width_ <= kMostSums);
  }

  void run() {
    const KernelInUse in_use(kernel_);
    for (std::int64_t column = 0; column < columns_.count; column += width_)
      for (std::int64_t line = 0; line < lines_; line += kernel_.lines_at_once)
        add_lines(column, line);
    if (is_waiting_) kernel_.finish(waiting_);
  }

private:
  // Of as many lines as stay in the first cache; all sums are complete after the last of them.
  void add_lines(std::int64_t column, std::int64_t line) {
    const unsigned char* panel = b_.panel((columns_.first + column) / Panels::kPanelRows);
    const std::int64_t end = std::min<std::int64_t>(line + kernel_.lines_at_once, lines_);
    const std::int64_t group_bytes = kernel_.rows * static_cast<std::int64_t>(sizeof(Word));
    const bool is_last = end == lines_;
    TileArguments tile{.group = a_.cells() + line * group_bytes,
                       .panel = panel + line * kLineBytes,
                       .panel_stride = lines_ * kLineBytes,
                       .lines = end - line,
                       .sums = sums_,
                       .adds = line > 0,
                       .ahead = panel + (is_last ? kernel_.panels * lines_ : end) * kLineBytes};
    const std::int64_t fetching = std::min(kFetchingTiles, groups_);
    tile.ahead_lines = (tile.lines + fetching - 1) / fetching;
    for (std::int64_t group = 0; group < groups_; ++group) {
      const std::int64_t row = group * kernel_.rows;
      if (is_last && !kernel_.finishes_meanwhile) out_.fetch(row, column, kernel_.rows);
      tile.rows = std::min<std::int64_t>(kernel_.rows, a_.rows() - row);
      tile.before = is_waiting_ ? &waiting_ : nullptr;
      kernel_.tile(tile);
      is_waiting_ = false;
      if (is_last) finish(column, row, tile.rows, tile.sums);
      tile.group += group_bytes * lines_;
      if (lines_ > kernel_.lines_at_once) tile.sums += kernel_.rows * width_; // else complete at once
      tile.ahead += tile.ahead_lines * kLineBytes;
      if (group + 1 == fetching) tile.ahead_lines = 0;
    }
  }

  // A group's sums: now, or while the next tile is computed, which leaves them where they are until then.
  void finish(std::int64_t column, std::int64_t row, std::int64_t rows, const float* sums) {
    waiting_ = {.sums = sums,
                .width = width_,
                .rows = rows,
                .columns = std::min(width_, columns_.count - column),
                .kind = static_cast<int>(epilogue_.kind),
                .bias = epilogue_.bias == nullptr ? nullptr : epilogue_.bias + column,
                .row_scales = a_.scales() + row,
                .column_scales = b_.scales() + columns_.first + column,
                .column_sums = kernel_.a == Cell::u8x4 ? b_.sums() + columns_.first + column : nullptr};
    out_.set(waiting_, row, column);
    set_beside(row, column);
    is_waiting_ = kernel_.finishes_meanwhile && waiting_.columns == width_;
    if (!is_waiting_) kernel_.finish(waiting_);
  }

  void set_beside(std::int64_t row, std::int64_t column) {
    const std::int64_t stride = out_.memory.stride, offset = row * stride + column;
    waiting_.beside_stride = stride;
    if (epilogue_.hidden != nullptr)
      waiting_.hidden = reinterpret_cast<const std::uint16_t*>(epilogue_.hidden + offset);
    if (epilogue_.beside != nullptr)
      waiting_.beside = reinterpret_cast<std::uint16_t*>(epilogue_.beside + offset);
  }

  const PackedRows& a_;
  const Panels& b_;
  const ProductKernel& kernel_;
  ColumnRange columns_;
  Epilogue epilogue_;
  Destination out_;
  std::int64_t lines_ = b_.panel_lines(), groups_ = groups_of(kernel_, a_.rows());
  std::int64_t width_ = kernel_.panels * Panels::kPanelRows;
  FinishArguments waiting_;
  bool is_waiting_ = false;
  alignas(64) float sums_[kMostSums]; // [groups, rows of a group, width], or of one group
};

} // namespace

void multiply(const PackedRows& a, const Panels& b, ColumnRange columns, const Epilogue& epilogue,
              ProductOutput out) {
  VLREID_ASSERT(columns.first % Panels::kPanelRows == 0 && columns.first + columns.count <= b.rows());
  VLREID_ASSERT((epilogue.kind == Epilogue::Kind::quick_gelu_backward) == (epilogue.hidden != nullptr));
  StripProduct(a, b, columns, epilogue, {.memory = out}).run();
}

void multiply(const PackedRows& a, const Panels& b, const Epilogue& epilogue, const Panels& next,
              PackedRows& out) {
  const ProductKernel& kernel = b.kernel();
  const std::int64_t width = b.rows();
  VLREID_ASSERT(&next.kernel() == &kernel && next.dims() == width);
  if (kernel.packs_sums && width % (kernel.panels * Panels::kPanelRows) == 0) {
    Destination cells{.memory = {}, .cells = out.prepare(a.rows(), next)};
    cells.row_bytes = next.panel_lines() * static_cast<std::int64_t>(sizeof(Word));
    return StripProduct(a, b, {0, width}, epilogue, cells).run();
  }
  thread_local std::vector<float> floats; // [rows, width]
  floats.resize(a.rows() * width);
  multiply(a, b, {0, width}, epilogue, {floats.data(), width});
  out.load({floats.data(), a.rows()}, next);
}

void multiply(const Numbers& a, std::int64_t rows, const Panels& b, const Epilogue& epilogue,
              ProductOutput out) {
  thread_local PackedRows strip;
  const std::int64_t most = rows_that_stay_in_cache(b);
  for (std::int64_t row = 0; row < rows; row += most) {
    strip.load(a.from(row, 0), std::min(most, rows - row), b);
    multiply(strip, b, {0, b.rows()}, epilogue, out.from(row, 0));
  }
}

void multiply(RowBlock a, const Panels& b, ColumnRange columns, float* out, std::int64_t stride) {
  thread_local PackedRows strip;
  const std::int64_t most = rows_that_stay_in_cache(b);
  const std::int64_t row_stride = a.stride == 0 ? b.dims() : a.stride;
  for (std::int64_t row = 0; row < a.rows; row += most) {
    strip.load({a.values + row * row_stride, std::min(most, a.rows - row), row_stride}, b);
    multiply(strip, b, columns, {}, {out + row * stride, stride});
  }
}

} // namespace vlreid
