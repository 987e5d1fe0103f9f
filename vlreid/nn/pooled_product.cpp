#include "vlreid/nn/pooled_product.h"

#include "vlreid/base/thread_pool.h"

#include <algorithm>

namespace vlreid {
namespace {

std::int64_t divided_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

} // namespace

Strips::Strips(std::int64_t rows, std::int64_t most, std::int64_t unit)
    : rows_(rows), unit_(unit), units_(divided_up(rows, unit)) {
  const std::int64_t threads = shared_pool().size();
  count_ = divided_up(divided_up(rows, most), threads) * threads;
  count_ =
      std::clamp<std::int64_t>(count_, std::min<std::int64_t>(units_, 1), std::max<std::int64_t>(units_, 1));
}

std::int64_t Strips::begin(std::int64_t strip) const {
  return std::min(rows_, units_ * strip / std::max<std::int64_t>(count_, 1) * unit_);
}

Strips strips_for(std::int64_t rows, const Panels& b) {
  return {rows, rows_that_stay_in_cache(b), rows_at_once(b)};
}

Panels pack_on_pool(RowBlock b, std::int64_t dims, ProductType type) {
  Panels panels(b.rows, dims, type);
  shared_pool().parallel_for(panels.panels(), 4, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t i = begin; i < end; ++i)
      panels.fill(static_cast<std::int64_t>(i), b.values, b.stride);
  });
  return panels;
}

void multiply_on_pool(RowBlock a, const Panels& b, const Epilogue& epilogue, ProductOutput out) {
  ThreadPool& pool = shared_pool();
  const Strips strips = strips_for(a.rows, b);
  const std::int64_t stride = a.stride == 0 ? b.dims() : a.stride;
  // Few rows: several threads share a strip, each with some of the columns.
  const std::int64_t shares = divided_up(pool.size(), std::max<std::int64_t>(strips.count(), 1));
  const std::int64_t share_columns = divided_up(divided_up(b.rows(), 32), shares) * 32;
  pool.parallel_for(strips.count() * shares, 1, [&](std::size_t begin, std::size_t end, int) {
    thread_local PackedRows rows;
    for (auto item = static_cast<std::int64_t>(begin); item < static_cast<std::int64_t>(end); ++item) {
      const std::int64_t first = strips.begin(item / shares), count = strips.begin(item / shares + 1) - first;
      const std::int64_t column = item % shares * share_columns;
      const std::int64_t columns = std::min(share_columns, b.rows() - column);
      if (columns <= 0) continue;
      rows.load({a.values + first * stride, count, stride}, b);
      Epilogue part = epilogue;
      if (part.bias != nullptr) part.bias += column;
      multiply(rows, b, {column, columns}, part, {out.values + first * out.stride + column, out.stride});
    }
  });
}

} // namespace vlreid
