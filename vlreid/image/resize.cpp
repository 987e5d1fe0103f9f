#include "vlreid/image/resize.h"

#include "vlreid/base/error.h"
#include "vlreid/image/resize_kernels.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <vector>

namespace vlreid {
namespace {

// Enough for some thousand crop sizes; beyond it the tables are made anew.
constexpr std::size_t kMaxTableBytes = std::size_t{16} << 20;

// Weight tables by (input, output, filter).
class WeightCache {
public:
  const PassWeights& get(int input, int output, Filter filter) {
    const Key key{input, output, filter};
    if (const auto found = tables_.find(key); found != tables_.end()) return found->second;
    PassWeights made = make_pass_weights(input, output, filter);
    bytes_ += made.bytes();
    return tables_.emplace(key, std::move(made)).first->second;
  }

  // REQUIRES: no table is in use.
  void trim() {
    if (bytes_ <= kMaxTableBytes) return;
    tables_.clear();
    bytes_ = 0;
  }

private:
  using Key = std::tuple<int, int, Filter>;
  std::map<Key, PassWeights> tables_;
  std::size_t bytes_ = 0;
};

// COMPAT: Pillow 13 does the vertical pass first when it removes more than twice as many rows as the
// horizontal one removes columns (found by comparing sizes; the 8-bit rounding in between makes the order
// visible).
bool is_vertical_first(const Image& source, const ResizeOptions& options) {
  const int removed_rows = source.height - options.height;
  const int removed_columns = source.width - options.width;
  return removed_rows > 0 && removed_columns != 0 && removed_rows > 2 * removed_columns;
}

} // namespace

// Between start() and the last row(): `rows` points to the result of the horizontal pass, or to the source if
// there is none.
struct Resizer::State {
  ResizeKernels kernels;
  WeightCache cache;
  Image shortened;                   // result of the vertical pass where that is the first
  std::vector<std::uint8_t> widened; // result of the horizontal pass, rows `stride` apart
  std::vector<std::uint8_t> tail;    // the last source rows, with slack behind them
  std::vector<std::uint8_t> line;    // one finished row
  const std::uint8_t* rows = nullptr;
  std::size_t stride = 0;
  std::size_t row_bytes = 0;
  const PassWeights* vertical = nullptr; // null: rows are finished already

  const Image& shorten(const Image& source, const ResizeOptions& options);
  void widen(const Image& source, const PassWeights& pass);
  void start(const Image& source, const ResizeOptions& options);
};

const Image& Resizer::State::shorten(const Image& source, const ResizeOptions& options) {
  const PassWeights& pass = cache.get(source.height, options.height, options.filter);
  shortened.reshape(options.height, source.width);
  for (int y = 0; y < options.height; ++y)
    kernels.vertical(pass, y, source.row(0), source.row_bytes(), source.row_bytes(), shortened.row(y));
  return shortened;
}

// The rows whose slack would lie behind the image are read from a copy.
void Resizer::State::widen(const Image& source, const PassWeights& pass) {
  const std::size_t source_bytes = source.row_bytes();
  const std::size_t slack = pass.read_slack();
  stride = row_bytes + kWriteSlack;
  widened.resize(stride * source.height);
  const int tail_rows = std::min(source.height, static_cast<int>((slack + source_bytes - 1) / source_bytes));
  const int safe_rows = source.height - tail_rows;
  tail.resize(tail_rows * source_bytes + slack);
  std::copy_n(source.row(safe_rows), tail_rows * source_bytes, tail.data());
  kernels.horizontal(pass, {.source = source.row(0),
                            .source_stride = source_bytes,
                            .rows = safe_rows,
                            .out = widened.data(),
                            .out_stride = stride});
  kernels.horizontal(pass, {.source = tail.data(),
                            .source_stride = source_bytes,
                            .rows = tail_rows,
                            .out = widened.data() + safe_rows * stride,
                            .out_stride = stride});
  rows = widened.data();
}

void Resizer::State::start(const Image& source, const ResizeOptions& options) {
  VLREID_ASSERT(source.height > 0 && source.width > 0 && options.height > 0 && options.width > 0);
  cache.trim();
  const Image& input = is_vertical_first(source, options) ? shorten(source, options) : source;
  rows = input.row(0);
  stride = input.row_bytes();
  row_bytes = static_cast<std::size_t>(options.width) * 3;
  if (input.width != options.width) widen(input, cache.get(input.width, options.width, options.filter));
  vertical = nullptr;
  if (input.height != options.height) vertical = &cache.get(input.height, options.height, options.filter);
}

Resizer::Resizer(ResizePath path) : state_(std::make_unique<State>()) {
  state_->kernels = path == ResizePath::plain ? plain_resize_kernels() : best_resize_kernels();
}

Resizer::Resizer(Resizer&&) noexcept = default;
Resizer& Resizer::operator=(Resizer&&) noexcept = default;
Resizer::~Resizer() = default;

void Resizer::start(const Image& source, const ResizeOptions& options) {
  state_->start(source, options);
  state_->line.resize(state_->row_bytes);
}

const std::uint8_t* Resizer::row(int y) {
  State& s = *state_;
  if (s.vertical == nullptr) return s.rows + y * s.stride;
  s.kernels.vertical(*s.vertical, y, s.rows, s.stride, s.row_bytes, s.line.data());
  return s.line.data();
}

void Resizer::resize(const Image& source, const ResizeOptions& options, Image& out) {
  VLREID_ASSERT(&source != &out);
  State& s = *state_;
  s.start(source, options);
  out.reshape(options.height, options.width);
  for (int y = 0; y < options.height; ++y) {
    if (s.vertical == nullptr)
      std::memcpy(out.row(y), s.rows + y * s.stride, s.row_bytes);
    else
      s.kernels.vertical(*s.vertical, y, s.rows, s.stride, s.row_bytes, out.row(y));
  }
}

Image resize(const Image& source, const ResizeOptions& options) {
  Image out;
  Resizer().resize(source, options, out);
  return out;
}

} // namespace vlreid
