// Products A·Bᵀ of float32 matrices on a CPU, for the parts that multiply with the same B again and again:
// the gallery of a search, the weights of an encoder. B is put once into the order that the inner loop reads
// (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008), rows of A a few dozen
// at a time; inside, numbers may be narrower than float32 (ProductType). The loop is chosen for the processor
// when the program starts. A number of the result is a sum in the same order wherever its row and column
// stand and whatever else is computed with them: equal rows give equal numbers. Nothing here starts threads;
// the functions may be called from several at once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace vlreid {

enum class ProductType {
  f32,
  bf16,   // both sides rounded to bfloat16, sums in float32
  bf16x3, // both sides as a sum of two bfloat16, of whose four products three are taken: nearly float32
  int8,   // both sides in -127..127 on a scale per row of A and per row of B, exact sums
};

// What multiplies on this processor: "avx512", "avx2", "plain", "amx" ...
const char* product_kernel(ProductType type = ProductType::f32);

// Whether narrow numbers are multiplied by instructions made for them, and not only rounded.
bool has_instructions_for(ProductType type);

// Whether matrices of bfloat16, and transposed ones, are read as they are, and not by way of a copy.
bool reads_any_numbers(ProductType type);

// Rows of a row-major matrix, `stride` floats apart.
struct RowBlock {
  const float* values = nullptr; // [rows, dims]
  std::int64_t rows = 0;
  std::int64_t stride = 0; // 0: dims
};

// A bfloat16: the upper half of a float32.
enum class Bf16 : std::uint16_t {};

// Where a matrix stands in memory, row-major, in either type; or its transpose, if the columns of what stands
// there are meant by rows.
struct Numbers {
  const float* floats = nullptr;
  const Bf16* narrow = nullptr; // instead of floats
  std::int64_t stride = 0;      // numbers from row to row of what stands there
  bool is_transposed = false;

  // The matrix from this row and this column on.
  Numbers from(std::int64_t row, std::int64_t column) const;
};

Numbers transposed(const Numbers& numbers);

// Rows of bfloat16 whose numbers stand in pieces of equal length here and there in memory: neighbourhoods of
// pixels.
struct PiecedRows {
  // The length of a piece is a multiple of this.
  static constexpr std::int64_t kPieceUnit = 32;

  const Bf16* const* pieces = nullptr; // [rows, dims / piece_dims]; a null one is zeros
  std::int64_t piece_dims = 0;
};

// Cache lines of memory, on huge pages where it is large.
class Lines {
public:
  struct alignas(64) Line {
    unsigned char bytes[64];
  };
  // Makes at least so many; where there were fewer, all values are undefined from now on.
  void make_room(std::int64_t count);
  Line* get() const { return lines_.get(); }

private:
  struct Free {
    std::int64_t count;
    void operator()(Line* lines) const;
  };
  std::unique_ptr<Line[], Free> lines_;
};

struct ProductKernel;
struct PackArguments;

// The rows of B as panels: kPanelRows rows beside each other, dimension after dimension, filled up with
// zeros.
class Panels {
public:
  static constexpr std::int64_t kPanelRows = 16;

  Panels() = default;
  // Room for `rows` rows; what they hold is undefined until fill().
  Panels(std::int64_t rows, std::int64_t dims, ProductType type = ProductType::f32);
  Panels(const ProductKernel& kernel, std::int64_t rows, std::int64_t dims);
  // All rows at once.
  Panels(RowBlock b, std::int64_t dims, ProductType type = ProductType::f32);

  // Of the same type, and likewise undefined; allocates only to grow.
  void resize(std::int64_t rows, std::int64_t dims);

  std::int64_t rows() const { return rows_; }
  std::int64_t dims() const { return dims_; }
  std::int64_t panels() const { return (rows_ + kPanelRows - 1) / kPanelRows; }

  // Fills one panel from its rows of B; several threads may fill different panels. `b` is the whole B.
  void fill(std::int64_t panel, const float* b, std::int64_t stride = 0);
  void fill(std::int64_t panel, const Numbers& b);

  // For products.cpp.
  const ProductKernel& kernel() const { return *kernel_; }
  const unsigned char* panel(std::int64_t number) const { return lines_.get()[number * panel_lines_].bytes; }
  std::int64_t panel_lines() const { return panel_lines_; }
  const float* scales() const { return scales_.data(); }
  const std::int32_t* sums() const { return sums_.data(); }

private:
  // From the panel's own rows.
  void fill_rows(std::int64_t panel, const float* rows, std::int64_t stride);
  void fill_columns(std::int64_t panel, const float* columns, std::int64_t stride);
  // Sets scale and sum; gives the steps.
  float scale_row(std::int64_t number, const float* row);

  const ProductKernel* kernel_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t dims_ = 0;
  std::int64_t panel_lines_ = 0;
  Lines lines_;                    // [panels, panel_lines]
  std::vector<float> scales_;      // [rows], 8-bit only
  std::vector<std::int32_t> sums_; // [rows] of the 8-bit numbers, 8-bit only
};

// Rows of A in the order and type of the inner loop. Few rows: they are to stay in the second-level cache
// while the panels pass by (rows_that_stay_in_cache). Reuse an object for one strip after the other: it
// allocates only when it grows.
class PackedRows {
public:
  PackedRows() = default;

  // Rows for products with `b`, and with others of its dims and type.
  void load(RowBlock a, const Panels& b);
  void load(const Numbers& a, std::int64_t rows, const Panels& b);

  // Likewise some rows at a time: room for `rows`, then [first, first + count) of them, where `first` is a
  // multiple of rows_at_once(b). Threads may load different rows at once.
  void begin(std::int64_t rows, const Panels& b);
  void load_some(RowBlock a, std::int64_t first, const Panels& b);
  void load_some(const Numbers& a, std::int64_t first, std::int64_t count, const Panels& b);
  // If reads_any_numbers of the type of `b`.
  void load_some(const PiecedRows& a, std::int64_t first, std::int64_t count, const Panels& b);

  // Room for rows that a product with packed output fills.
  unsigned char* prepare(std::int64_t rows, const Panels& b);

  std::int64_t rows() const { return rows_; }
  const unsigned char* cells() const { return lines_.get()->bytes; }
  const float* scales() const { return scales_.data(); }

private:
  std::uint32_t* make_room(std::int64_t rows, const Panels& b);
  // One group: the first rows of at most `count`.
  void pack_group(PackArguments pack, std::int64_t first, std::int64_t count, const Panels& b);
  void load_columns(const float* a, std::int64_t rows, std::int64_t stride, const Panels& b);

  std::int64_t rows_ = 0;
  Lines lines_;
  std::vector<float> scales_; // [rows], 8-bit only
};

// At most, and a multiple of what the inner loop takes at once.
std::int64_t rows_that_stay_in_cache(const Panels& b);
// What the inner loop takes at once: strips of other sizes waste a part of it.
std::int64_t rows_at_once(const Panels& b);

// Columns [first, first + count) of A·Bᵀ; `first` is a multiple of Panels::kPanelRows.
struct ColumnRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

// What becomes of a complete sum, plus its bias: it is stored, added to what is there, stored as
// quick_gelu(x) = x sigmoid(1.702 x) or max(x, 0), or added with the larger of the new sum and 0 stored, or
// stored as x quick_gelu'(hidden).
struct Epilogue {
  enum class Kind { store, add, quick_gelu, relu, add_relu, quick_gelu_backward };
  Kind kind = Kind::store;
  const float* bias = nullptr; // [columns.count], or none
  // For training, [a.rows, columns.count] with the output's stride:
  const Bf16* hidden = nullptr; // quick_gelu_backward reads it
  Bf16* beside = nullptr;       // or none: quick_gelu writes x, quick_gelu_backward quick_gelu(hidden)
};

struct ProductOutput {
  float* values = nullptr; // [a.rows, columns.count]
  std::int64_t stride = 0; // numbers from row to row
  Bf16* narrow = nullptr;  // instead of values, rounded

  ProductOutput from(std::int64_t row, std::int64_t column) const;
};

// On the calling thread.
void multiply(const PackedRows& a, const Panels& b, ColumnRange columns, const Epilogue& epilogue,
              ProductOutput out);
// All columns, as rows for products with `next`, of b.rows() dims: what storing them and out.load() would
// give, without the way through memory where the inner loop can. The epilogue adds nothing to what is there.
void multiply(const PackedRows& a, const Panels& b, const Epilogue& epilogue, const Panels& next,
              PackedRows& out);
// Any number of rows and all columns.
void multiply(const Numbers& a, std::int64_t rows, const Panels& b, const Epilogue& epilogue,
              ProductOutput out);
// Any number of rows, stored.
void multiply(RowBlock a, const Panels& b, ColumnRange columns, float* out, std::int64_t stride);

} // namespace vlreid
