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

void PooledRows::load(RowBlock a, const Panels& b) {
  load({.floats = a.values, .stride = a.stride == 0 ? b.dims() : a.stride}, a.rows, b);
}

void PooledRows::load(const Numbers& a, std::int64_t rows, const Panels& b) {
  strips_ = Strips(rows, rows_that_stay_in_cache(b), rows_at_once(b), 1);
  if (static_cast<std::int64_t>(packed_.size()) < strips_.count()) packed_.resize(strips_.count());
  shared_pool().parallel_for(strips_.count(), 1, [&](std::size_t strip, std::size_t, int) {
    const std::int64_t first = strips_.begin(strip), count = strips_.begin(strip + 1) - first;
    packed_[strip].load(a.from(first, 0), count, b);
  });
}

void PooledRows::multiply(const Panels& b, const Epilogue& epilogue, ProductOutput out) const {
  const std::int64_t strips = strips_.count();
  if (strips == 0) return;
  const std::int64_t shares = divided_up(kPieces * shared_pool().size(), strips);
  const std::int64_t width = divided_up(divided_up(b.rows(), kColumnUnit), shares) * kColumnUnit;
  // Strips of the same columns follow each other: the threads read the same weights at the same time.
  const std::int64_t pieces = divided_up(b.rows(), width) * strips;
  shared_pool().parallel_for(pieces, 1, [&](std::size_t piece, std::size_t, int) {
    const std::int64_t strip = static_cast<std::int64_t>(piece) % strips;
    const std::int64_t column = static_cast<std::int64_t>(piece) / strips * width;
    Epilogue part = epilogue;
    if (part.bias != nullptr) part.bias += column;
    vlreid::multiply(packed_[strip], b, {column, std::min(width, b.rows() - column)}, part,
                     out.from(strips_.begin(strip), column));
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
    return packed.multiply(b, epilogue, out);
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
