// Products of packed weights on all threads of the process (shared_pool()).
#pragma once

#include "vlreid/products/products.h"

#include <span>
#include <vector>

namespace vlreid {

// Rows cut into strips of nearly equal size, each a multiple of `unit` rows but the last: at most `most` rows
// a strip, and a multiple of `workers` strips where there are so many units.
class Strips {
public:
  Strips(std::int64_t rows, std::int64_t most, std::int64_t unit, std::int64_t workers);
  std::int64_t count() const { return count_; }
  std::int64_t begin(std::int64_t strip) const; // first row; begin(count()) is the end

private:
  std::int64_t rows_, unit_, units_, count_;
};

// For products of rows with `b`: as many strips for one thread as for the other.
Strips strips_for(std::int64_t rows, const Panels& b);

// All of B's rows, filled by all threads.
Panels pack_on_pool(RowBlock b, std::int64_t dims, ProductType type);

// A few rows, packed once for products with several Panels of the same dims and type.
class PooledRows {
public:
  void load(const Numbers& a, std::int64_t rows, const Panels& b);
  // Likewise group by group, by any threads: room, then numbers from the group's first row on.
  void begin(std::int64_t rows, const Panels& b);
  void load_group(std::int64_t group, const Numbers& rows, const Panels& b);

  std::int64_t groups() const;
  std::int64_t first_of(std::int64_t group) const { return group * group_rows_; }
  std::int64_t count_of(std::int64_t group) const; // rows
  const Strips& strips() const { return strips_; }
  const PackedRows& strip(std::int64_t number) const { return packed_[number]; }

private:
  Strips strips_{0, 1, 1, 1};
  std::int64_t rows_ = 0, group_rows_ = 1;
  std::vector<PackedRows> packed_; // [strips]; grows and is never cleared
};

// out = rows b^T and what the epilogue does with it.
struct PooledProduct {
  const PooledRows& rows;
  const Panels& b;
  Epilogue epilogue;
  ProductOutput out;
};

// Products of the same number of rows. The threads share them in pieces of some columns, so that every thread
// reads its part of the weights and not all of them; a piece's columns are those of one product after the
// other, which may add to the same output.
void multiply_on_pool(std::span<const PooledProduct> products);
inline void multiply_on_pool(const PooledProduct& product) {
  multiply_on_pool({&product, 1});
}

// Whether rows are so few that strips for all threads would be too low, and PooledRows are faster.
bool are_few(std::int64_t rows, const Panels& b);

// out = a b^T and what the epilogue does with it, for any number of rows.
void multiply_on_pool(RowBlock a, const Panels& b, const Epilogue& epilogue, ProductOutput out);
void multiply_on_pool(const Numbers& a, std::int64_t rows, const Panels& b, const Epilogue& epilogue,
                      ProductOutput out);

} // namespace vlreid
