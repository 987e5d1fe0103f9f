// Products of packed weights on all threads of the process (shared_pool()).
#pragma once

#include "vlreid/products/products.h"

namespace vlreid {

// Rows cut into strips of nearly equal size, each a multiple of `unit` rows but the last: at most `most` rows
// a strip, and as many strips for one thread as for the other.
class Strips {
public:
  Strips(std::int64_t rows, std::int64_t most, std::int64_t unit);
  std::int64_t count() const { return count_; }
  std::int64_t begin(std::int64_t strip) const; // first row; begin(count()) is the end

private:
  std::int64_t rows_, unit_, units_, count_;
};

// For products of rows with `b`.
Strips strips_for(std::int64_t rows, const Panels& b);

// All of B's rows, filled by all threads.
Panels pack_on_pool(RowBlock b, std::int64_t dims, ProductType type);

// out = a b^T and what the epilogue does with it, for any number of rows.
void multiply_on_pool(RowBlock a, const Panels& b, const Epilogue& epilogue, ProductOutput out);

} // namespace vlreid
