#include "vlreid/nn/pooled_product.h"

#include "vlreid/base/thread_pool.h"

#include <algorithm>

namespace vlreid {
namespace {

std::int64_t divided_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Pieces of a product for each thread: the last ones end at nearly the same time.
constexpr std::int64_t kPieces = 3;
// Below so many tiles a strip for each thread is too low: reading the weights takes longer than the products.
constexpr std::int64_t kTilesOfStrip = 6;
constexpr std::int64_t kColumnUnit = 2 * Panels::kPanelRows; // no tile is wider

} // namespace

Strips::Strips(std::int64_t rows, std::int64_t most, std::int64_t unit, std::int64_t workers)
    : rows_(rows), unit_(unit), units_(divided_up(rows, unit)) {
  count_ = divided_up(divided_up(rows, most), workers) * workers;
  count_ =
      std::clamp<std::int64_t>(count_, std::min<std::int64_t>(units_, 1), std::max<std::int64_t>(units_, 1));
}

std::int64_t Strips::begin(std::int64_t strip) const {
  return std::min(rows_, units_ * strip / std::max<std::int64_t>(count_, 1) * unit_);
}

Strips strips_for(std::int64_t rows, const Panels& b) {
  return {rows, rows_that_stay_in_cache(b), rows_at_once(b), shared_pool().size()};
}

Panels pack_on_pool(RowBlock b, std::int64_t dims, ProductType type) {
  Panels panels(b.rows, dims, type);
  shared_pool().parallel_for(panels.panels(), 4, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t i = begin; i < end; ++i)
      panels.fill(static_cast<std::int64_t>(i), b.values, b.stride);
  });
  return panels;
}

void PooledRows::begin(std::int64_t rows, const Panels& b) {
  rows_ = rows;
  group_rows_ = rows_at_once(b);
  strips_ = Strips(rows, rows_that_stay_in_cache(b), group_rows_, 1);
  if (std::ssize(packed_) < strips_.count()) packed_.resize(strips_.count());
  for (std::int64_t i = 0; i < strips_.count(); ++i)
    packed_[i].begin(strips_.begin(i + 1) - strips_.begin(i), b);
}

std::int64_t PooledRows::groups() const {
  return divided_up(rows_, group_rows_);
}

std::int64_t PooledRows::count_of(std::int64_t group) const {
  return std::min(group_rows_, rows_ - first_of(group));
}

void PooledRows::load_group(std::int64_t group, const Numbers& rows, const Panels& b) {
  std::int64_t strip = 0;
  while (strips_.begin(strip + 1) <= first_of(group))
    ++strip;
  packed_[strip].load_some(rows, first_of(group) - strips_.begin(strip), count_of(group), b);
}

void PooledRows::load(const Numbers& a, std::int64_t rows, const Panels& b) {
  begin(rows, b);
  shared_pool().parallel_for(groups(), 1, [&](std::size_t group, std::size_t, int) {
    load_group(group, a.from(first_of(group), 0), b);
  });
}

void multiply_on_pool(std::span<const PooledProduct> products) {
  std::int64_t columns = 0;
  for (const PooledProduct& product : products)
    columns = std::max(columns, product.b.rows());
  const Strips& strips = products.front().rows.strips();
  if (strips.count() == 0) return;
  const std::int64_t shares = divided_up(kPieces * shared_pool().size(), strips.count());
  const std::int64_t width = divided_up(divided_up(columns, kColumnUnit), shares) * kColumnUnit;
  // Strips of the same columns follow each other: the threads read the same weights at the same time.
  const std::int64_t pieces = divided_up(columns, width) * strips.count();
  shared_pool().parallel_for(pieces, 1, [&](std::size_t piece, std::size_t, int) {
    const std::int64_t strip = static_cast<std::int64_t>(piece) % strips.count();
    const std::int64_t column = static_cast<std::int64_t>(piece) / strips.count() * width;
    for (const PooledProduct& product : products) {
      if (column >= product.b.rows()) continue;
      Epilogue part = product.epilogue;
      if (part.bias != nullptr) part.bias += column;
      multiply(product.rows.strip(strip), product.b, {column, std::min(width, product.b.rows() - column)},
               part, product.out.from(strips.begin(strip), column));
    }
  });
}

bool are_few(std::int64_t rows, const Panels& b) {
  return rows < kTilesOfStrip * rows_at_once(b) * shared_pool().size();
}

void multiply_on_pool(RowBlock a, const Panels& b, const Epilogue& epilogue, ProductOutput out) {
  const std::int64_t stride = a.stride == 0 ? b.dims() : a.stride;
  multiply_on_pool({.floats = a.values, .stride = stride}, a.rows, b, epilogue, out);
}

void multiply_on_pool(const Numbers& a, std::int64_t rows, const Panels& b, const Epilogue& epilogue,
                      ProductOutput out) {
  if (are_few(rows, b)) {
    thread_local PooledRows packed;
    packed.load(a, rows, b);
    return multiply_on_pool(PooledProduct{packed, b, epilogue, out});
  }
  const Strips strips = strips_for(rows, b);
  shared_pool().parallel_for(strips.count(), 1, [&](std::size_t strip, std::size_t, int) {
    thread_local PackedRows packed;
    const std::int64_t first = strips.begin(strip);
    packed.load(a.from(first, 0), strips.begin(strip + 1) - first, b);
    multiply(packed, b, {0, b.rows()}, epilogue, out.from(first, 0));
  });
}

} // namespace vlreid
