// Products A·Bᵀ of float32 matrices on a CPU, for the parts that multiply with the same B again and again:
// the gallery of a search, the weights of an encoder. B is put once into the order that the inner loop reads
// (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008); the loop is chosen for
// the processor when the program starts (AVX-512, AVX2 with FMA, plain). A number of the result is a sum in
// the same order wherever its row and column stand and whatever else is computed with them: equal rows give
// equal numbers. Nothing here starts threads; the functions may be called from several at once.
#pragma once

#include <cstdint>
#include <memory>

namespace vlreid {

// Rows of a row-major matrix.
struct RowBlock {
  const float* values = nullptr; // [rows, dims]
  std::int64_t rows = 0;
};

// The rows of B as panels: kPanelRows rows beside each other, dimension after dimension, filled up with
// zeros.
class Panels {
public:
  static constexpr std::int64_t kPanelRows = 16;

  // Room for `rows` rows; what they hold is undefined until fill().
  Panels(std::int64_t rows, std::int64_t dims);
  // All rows at once.
  Panels(RowBlock b, std::int64_t dims);

  std::int64_t rows() const { return rows_; }
  std::int64_t dims() const { return dims_; }
  std::int64_t panels() const { return (rows_ + kPanelRows - 1) / kPanelRows; }
  // [dims, kPanelRows]
  const float* panel(std::int64_t number) const { return lines_[number * dims_].values; }

  // Fills one panel from its rows of B [rows(), dims]; several threads may fill different panels.
  void fill(std::int64_t panel, const float* b);

private:
  // One dimension of a panel: a cache line.
  struct alignas(64) Line {
    float values[kPanelRows];
  };

  std::int64_t rows_;
  std::int64_t dims_;
  std::unique_ptr<Line[]> lines_; // [panels, dims]
};

// Columns [first, first + count) of A·Bᵀ; `first` is a multiple of Panels::kPanelRows.
struct ColumnRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

// out [a.rows, columns.count], its rows `stride` floats apart. Runs on the calling thread alone.
void multiply(RowBlock a, const Panels& b, ColumnRange columns, float* out, std::int64_t stride);

// "avx512", "avx2" or "plain": what this processor runs.
const char* product_kernel();

} // namespace vlreid
