#include "vlreid/products/products.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "vlreid/base/random.h"
#include "vlreid/products/emulated_kernels_test.h"
#include "vlreid/products/kernels.h"

namespace vlreid {
namespace {

std::vector<float> normal_values(std::int64_t count, std::uint64_t key) {
  Random random({key});
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(random.normal());
  return values;
}

struct Shape {
  std::int64_t rows = 0, images = 0, dims = 0;
};

// A row and a column short of a tile, of a strip, of a strip's depth; one number; many.
const Shape kShapes[] = {{1, 1, 1},     {5, 15, 7},    {6, 16, 256},    {7, 17, 257},  {13, 33, 64},
                         {14, 32, 512}, {127, 40, 33}, {260, 100, 300}, {33, 50, 1030}};

struct Case {
  ProductType type = ProductType::f32;
  const ProductKernel* kernel = nullptr;
  bool is_emulated = false;
};

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const ProductType type : {ProductType::f32, ProductType::bf16, ProductType::int8}) {
    for (const ProductKernel* kernel : kernels_of_this_processor(type))
      cases.push_back({type, kernel, false});
    for (const ProductKernel* kernel : emulated_kernels(type))
      cases.push_back({type, kernel, true});
  }
  return cases;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const char* types[] = {"f32", "bf16", "bf16x3", "int8"};
  return std::string(info.param.is_emulated ? "emulated_" : "") + info.param.kernel->name + "_" +
         types[static_cast<int>(info.param.type)];
}

float to_bf16(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  return __builtin_bit_cast(float, (bits + 0x7FFFU + ((bits >> 16) & 1U)) & 0xFFFF0000U);
}

// What a product of this type multiplies instead of a row.
std::vector<float> seen_as(ProductType type, std::vector<float> values, std::int64_t dims) {
  if (type == ProductType::bf16) std::ranges::transform(values, values.begin(), to_bf16);
  if (type != ProductType::int8) return values;
  for (std::int64_t first = 0; first < static_cast<std::int64_t>(values.size()); first += dims) {
    float largest = 0;
    for (std::int64_t d = 0; d < dims; ++d)
      largest = std::max(largest, std::fabs(values[first + d]));
    for (std::int64_t d = 0; d < dims; ++d)
      values[first + d] = std::nearbyint(values[first + d] * (127 / largest)) * (largest / 127);
  }
  return values;
}

Panels panels_of(const ProductKernel& kernel, const std::vector<float>& b, std::int64_t dims) {
  Panels panels(kernel, static_cast<std::int64_t>(b.size()) / dims, dims);
  for (std::int64_t number = 0; number < panels.panels(); ++number)
    panels.fill(number, b.data());
  return panels;
}

std::vector<double> plain_product(const std::vector<float>& a, const std::vector<float>& b,
                                  std::int64_t dims) {
  std::vector<double> out;
  for (std::size_t r = 0; r < a.size(); r += dims)
    for (std::size_t c = 0; c < b.size(); c += dims) {
      double sum = 0;
      for (std::int64_t d = 0; d < dims; ++d)
        sum += static_cast<double>(a[r + d]) * b[c + d];
      out.push_back(sum);
    }
  return out;
}

class EveryKernel : public testing::TestWithParam<Case> {};

TEST_P(EveryKernel, EqualsTheSumInDouble) {
  const auto [type, kernel, is_emulated] = GetParam();
  for (const Shape& shape : kShapes) {
    const std::vector<float> a = normal_values(shape.rows * shape.dims, 1);
    const std::vector<float> b = normal_values(shape.images * shape.dims, 2);
    const std::vector<double> expected =
        plain_product(seen_as(type, a, shape.dims), seen_as(type, b, shape.dims), shape.dims);
    const Panels panels = panels_of(*kernel, b, shape.dims);
    std::vector<float> out(shape.rows * shape.images, NAN);
    multiply({a.data(), shape.rows}, panels, {0, shape.images}, out.data(), shape.images);
    // A number just between two 8-bit steps may fall to either side.
    const double tolerance = type == ProductType::int8 ? 0.05 : 1e-6 * static_cast<double>(shape.dims) + 1e-5;
    for (std::size_t i = 0; i < out.size(); ++i)
      ASSERT_NEAR(out[i], expected[i], tolerance)
          << i << " of " << shape.rows << 'x' << shape.images << 'x' << shape.dims;
  }
}

TEST_P(EveryKernel, WritesOnlyTheColumnsAskedFor) {
  constexpr std::int64_t kRows = 9, kImages = 70, kDims = 20, kStride = 50;
  const std::vector<float> a = normal_values(kRows * kDims, 1);
  const Panels panels = panels_of(*GetParam().kernel, normal_values(kImages * kDims, 2), kDims);
  std::vector<float> whole(kRows * kImages);
  multiply({a.data(), kRows}, panels, {0, kImages}, whole.data(), kImages);
  std::vector<float> part(kRows * kStride, -1);
  multiply({a.data(), kRows}, panels, {32, 21}, part.data(), kStride);
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int64_t c = 0; c < kStride; ++c)
      EXPECT_EQ(part[r * kStride + c], c < 21 ? whole[r * kImages + 32 + c] : -1) << r << ' ' << c;
  }
}

// Ties of a ranking depend on it.
TEST_P(EveryKernel, GivesEqualRowsEqualNumbers) {
  constexpr std::int64_t kRows = 31, kImages = 61, kDims = 531;
  const std::vector<float> row = normal_values(kDims, 3);
  std::vector<float> same;
  for (std::int64_t i = 0; i < kImages; ++i)
    same.insert(same.end(), row.begin(), row.end());
  const Panels panels = panels_of(*GetParam().kernel, same, kDims);
  std::vector<float> out(kRows * kImages);
  multiply({same.data(), kRows}, panels, {0, kImages}, out.data(), kImages);
  EXPECT_EQ(std::count(out.begin(), out.end(), out.front()), kRows * kImages);
}

TEST_P(EveryKernel, FinishesSums) {
  constexpr std::int64_t kRows = 75, kColumns = 101, kDims = 24, kStride = 104; // several tiles both ways
  const std::vector<float> a = normal_values(kRows * kDims, 1), bias = normal_values(kColumns, 4);
  const std::vector<float> before = normal_values(kRows * kStride, 5);
  const Panels panels = panels_of(*GetParam().kernel, normal_values(kColumns * kDims, 2), kDims);
  PackedRows strip;
  strip.load({a.data(), kRows}, panels);
  const auto finished = [&](Epilogue epilogue) {
    std::vector<float> out = before;
    multiply(strip, panels, {0, kColumns}, epilogue, {out.data(), kStride});
    return out;
  };
  using Kind = Epilogue::Kind;
  const std::vector<float> sums = finished({});
  const std::vector<float> stored = finished({Kind::store, bias.data()});
  const std::vector<float> added = finished({Kind::add, bias.data()});
  const std::vector<float> activated = finished({Kind::quick_gelu, bias.data()});
  const std::vector<float> positive = finished({Kind::relu, bias.data()});
  const std::vector<float> added_positive = finished({Kind::add_relu, bias.data()});
  for (std::int64_t r = 0; r < kRows; ++r)
    for (std::int64_t c = 0; c < kStride; ++c) {
      const std::int64_t i = r * kStride + c;
      const bool is_inside = c < kColumns;
      const float x = is_inside ? sums[i] + bias[c] : before[i];
      EXPECT_NEAR(stored[i], x, 1e-5);
      EXPECT_NEAR(added[i], is_inside ? before[i] + x : x, 1e-5);
      EXPECT_NEAR(activated[i], is_inside ? x / (1 + std::exp(-1.702F * x)) : x, 1e-5);
      EXPECT_NEAR(positive[i], is_inside ? std::max(x, 0.0F) : x, 1e-5);
      EXPECT_NEAR(added_positive[i], is_inside ? std::max(before[i] + x, 0.0F) : x, 1e-5);
    }
}

// Where the inner loop packs sums itself (96 columns) and where it does not.
TEST_P(EveryKernel, PacksSumsForTheNextProduct) {
  constexpr std::int64_t kRows = 70, kDims = 40, kOut = 21;
  for (const std::int64_t between : {96, 75}) {
    const std::vector<float> a = normal_values(kRows * kDims, 1), bias = normal_values(between, 4);
    const Panels first = panels_of(*GetParam().kernel, normal_values(between * kDims, 2), kDims);
    const Panels second = panels_of(*GetParam().kernel, normal_values(kOut * between, 3), between);
    const Epilogue epilogue{Epilogue::Kind::quick_gelu, bias.data()};
    PackedRows rows, stored, direct;
    rows.load({a.data(), kRows}, first);
    std::vector<float> hidden(kRows * between), expected(kRows * kOut), out(kRows * kOut);
    multiply(rows, first, {0, between}, epilogue, {hidden.data(), between});
    stored.load({hidden.data(), kRows}, second);
    multiply(stored, second, {0, kOut}, {}, {expected.data(), kOut});
    multiply(rows, first, epilogue, second, direct);
    multiply(direct, second, {0, kOut}, {}, {out.data(), kOut});
    EXPECT_EQ(out, expected) << between;
  }
}

TEST_P(EveryKernel, TakesRowsThatAreFartherApart) {
  constexpr std::int64_t kRows = 8, kDims = 19, kStride = 23;
  const std::vector<float> a = normal_values(kRows * kStride, 1);
  std::vector<float> close;
  for (std::int64_t r = 0; r < kRows; ++r)
    close.insert(close.end(), a.begin() + r * kStride, a.begin() + r * kStride + kDims);
  const Panels panels = panels_of(*GetParam().kernel, normal_values(20 * kDims, 2), kDims);
  std::vector<float> expected(kRows * 20), out(kRows * 20);
  multiply({close.data(), kRows}, panels, {0, 20}, expected.data(), 20);
  multiply({a.data(), kRows, kStride}, panels, {0, 20}, out.data(), 20);
  EXPECT_EQ(out, expected);
}

TEST_P(EveryKernel, TakesTransposedMatrices) {
  constexpr std::int64_t kRows = 21, kDims = 9;
  const std::vector<float> b = normal_values(kRows * kDims, 2), a = normal_values(5 * kDims, 1);
  std::vector<float> transposed(b.size());
  for (std::int64_t r = 0; r < kRows; ++r)
    for (std::int64_t d = 0; d < kDims; ++d)
      transposed[d * kRows + r] = b[r * kDims + d];
  Panels panels(*GetParam().kernel, kRows, kDims);
  for (std::int64_t number = 0; number < panels.panels(); ++number)
    panels.fill(number, {.floats = transposed.data(), .stride = kRows, .is_transposed = true});
  std::vector<float> expected(5 * kRows), out(5 * kRows);
  multiply({a.data(), 5}, panels_of(*GetParam().kernel, b, kDims), {0, kRows}, expected.data(), kRows);
  multiply({a.data(), 5}, panels, {0, kRows}, out.data(), kRows);
  EXPECT_EQ(out, expected);
}

TEST_P(EveryKernel, TakesColumnsAsRows) {
  constexpr std::int64_t kColumns = 20, kStride = 67;
  for (const std::int64_t dims : {1, 9, 40})
    for (const std::int64_t rows : {1, 6, 28, 65}) {
      const std::vector<float> a = normal_values(dims * kStride, 1);
      std::vector<float> transposed;
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t d = 0; d < dims; ++d)
          transposed.push_back(a[d * kStride + r]);
      const Panels panels = panels_of(*GetParam().kernel, normal_values(kColumns * dims, 2), dims);
      PackedRows as_rows, as_columns;
      as_rows.load({transposed.data(), rows}, panels);
      as_columns.load({.floats = a.data(), .stride = kStride, .is_transposed = true}, rows, panels);
      std::vector<float> expected(rows * kColumns), out(rows * kColumns);
      multiply(as_rows, panels, {0, kColumns}, {}, {expected.data(), kColumns});
      multiply(as_columns, panels, {0, kColumns}, {}, {out.data(), kColumns});
      EXPECT_EQ(out, expected) << rows << 'x' << dims;
    }
}

std::vector<Bf16> narrowed(const std::vector<float>& values) {
  std::vector<Bf16> result;
  for (const float x : values)
    result.push_back(static_cast<Bf16>(__builtin_bit_cast(std::uint32_t, to_bf16(x)) >> 16));
  return result;
}

// Rows or columns of A and of B, as bfloat16 or as what those stand for.
TEST_P(EveryKernel, TakesAndGivesBfloat16) {
  for (const std::int64_t dims : {1, 31, 32, 75})
    for (const std::int64_t rows : {1, 16, 47})
      for (const bool is_transposed : {false, true}) {
        const std::int64_t columns = 37, slack = 5;
        const auto numbers = [&](std::int64_t count, std::uint64_t key) {
          std::vector<float> values =
              normal_values(is_transposed ? dims * (count + slack) : count * (dims + slack), key);
          std::ranges::transform(values, values.begin(), to_bf16);
          return values;
        };
        const std::vector<float> a = numbers(rows, 1), b = numbers(columns, 2),
                                 bias = normal_values(columns, 3);
        const std::vector<Bf16> narrow_a = narrowed(a), narrow_b = narrowed(b);
        const auto product = [&](bool is_narrow) {
          Numbers left{.stride = (is_transposed ? rows : dims) + slack, .is_transposed = is_transposed};
          Numbers right{.stride = (is_transposed ? columns : dims) + slack, .is_transposed = is_transposed};
          if (is_narrow) {
            left.narrow = narrow_a.data();
            right.narrow = narrow_b.data();
          } else {
            left.floats = a.data();
            right.floats = b.data();
          }
          Panels panels(*GetParam().kernel, columns, dims);
          for (std::int64_t number = 0; number < panels.panels(); ++number)
            panels.fill(number, right);
          PackedRows packed;
          packed.load(left, rows, panels);
          std::vector<float> out(rows * columns);
          const Epilogue epilogue{.bias = bias.data()};
          multiply(packed, panels, {0, columns}, epilogue, {out.data(), columns});
          std::vector<Bf16> narrow_out(rows * (columns + 1), Bf16{7});
          multiply(packed, panels, {0, columns}, epilogue,
                   {.stride = columns + 1, .narrow = narrow_out.data()});
          for (std::int64_t r = 0; r < rows; ++r) {
            const std::vector<float> row(out.begin() + r * columns, out.begin() + (r + 1) * columns);
            EXPECT_TRUE(
                std::ranges::equal(narrowed(row), std::span(narrow_out).subspan(r * (columns + 1), columns)));
            EXPECT_EQ(narrow_out[r * (columns + 1) + columns], Bf16{7});
          }
          std::vector<Bf16> sums = narrowed(out); // twice the product, then
          multiply(packed, panels, {0, columns}, {Epilogue::Kind::add, bias.data()},
                   {.stride = columns, .narrow = sums.data()});
          for (std::size_t i = 0; i < sums.size(); ++i) {
            const float sum = __builtin_bit_cast(float, static_cast<std::uint32_t>(sums[i]) << 16);
            EXPECT_NEAR(sum, 2 * out[i], 0.01F * std::fabs(out[i]) + 1e-6F);
          }
          return out;
        };
        EXPECT_EQ(product(true), product(false)) << rows << 'x' << dims << ' ' << is_transposed;
      }
}

TEST_P(EveryKernel, TakesRowsInPieces) {
  if (!GetParam().kernel->packs_any) GTEST_SKIP() << "rows are gathered for this kernel";
  constexpr std::int64_t kRows = 70, kPieces = 3, kDims = kPieces * 64, kColumns = 20;
  const std::vector<Bf16> memory = narrowed(normal_values(kRows * 64, 1));
  std::vector<Bf16> rows;
  std::vector<const Bf16*> pieces;
  for (std::int64_t i = 0; i < kRows * kPieces; ++i) {
    const bool is_zero = i % 7 == 0;
    const Bf16* from = memory.data() + i * 5 % kRows * 64;
    pieces.push_back(is_zero ? nullptr : from);
    for (std::int64_t d = 0; d < 64; ++d)
      rows.push_back(is_zero ? Bf16{0} : from[d]);
  }
  const Panels panels = panels_of(*GetParam().kernel, normal_values(kColumns * kDims, 2), kDims);
  PackedRows whole, in_pieces;
  whole.load(Numbers{.narrow = rows.data(), .stride = kDims}, kRows, panels);
  in_pieces.begin(kRows, panels);
  in_pieces.load_some(PiecedRows{pieces.data(), 64}, 0, kRows, panels);
  std::vector<float> expected(kRows * kColumns), out(kRows * kColumns);
  multiply(whole, panels, {0, kColumns}, {}, {expected.data(), kColumns});
  multiply(in_pieces, panels, {0, kColumns}, {}, {out.data(), kColumns});
  EXPECT_EQ(out, expected);
}

// Threads load groups at once: none may touch another's cells.
TEST_P(EveryKernel, TakesGroupsInAnyOrder) {
  constexpr std::int64_t kRows = 70, kDims = 96, kColumns = 20;
  const std::vector<float> a = normal_values(kRows * kDims, 1);
  const Panels panels = panels_of(*GetParam().kernel, normal_values(kColumns * kDims, 2), kDims);
  PackedRows whole, in_groups;
  whole.load(RowBlock{a.data(), kRows}, panels);
  in_groups.begin(kRows, panels);
  const std::int64_t group = rows_at_once(panels);
  for (std::int64_t first = (kRows - 1) / group * group; first >= 0; first -= group)
    in_groups.load_some(RowBlock{a.data() + first * kDims, std::min(group, kRows - first)}, first, panels);
  std::vector<float> expected(kRows * kColumns), out(kRows * kColumns);
  multiply(whole, panels, {0, kColumns}, {}, {expected.data(), kColumns});
  multiply(in_groups, panels, {0, kColumns}, {}, {out.data(), kColumns});
  EXPECT_EQ(out, expected);
}

INSTANTIATE_TEST_SUITE_P(Products, EveryKernel, testing::ValuesIn(every_case()), name_of);

TEST(Products, OfNothingAreNothing) {
  const Panels none(0, 8);
  EXPECT_EQ(none.panels(), 0);
  multiply({nullptr, 0}, none, {0, 0}, nullptr, 0);
}

TEST(Products, OfSplitNumbersAreNearlyFloat32) {
  constexpr std::int64_t kRows = 12, kColumns = 30, kDims = 768;
  const std::vector<float> a = normal_values(kRows * kDims, 1), b = normal_values(kColumns * kDims, 2);
  const std::vector<double> expected = plain_product(a, b, kDims);
  const auto largest_error = [&](ProductType type) {
    const Panels panels({b.data(), kColumns}, kDims, type);
    std::vector<float> out(kRows * kColumns);
    multiply({a.data(), kRows}, panels, {0, kColumns}, out.data(), kColumns);
    double largest = 0;
    for (std::size_t i = 0; i < out.size(); ++i)
      largest = std::max(largest, std::abs(out[i] - expected[i]));
    return largest / std::sqrt(static_cast<double>(kDims)); // of the sums' own spread
  };
  EXPECT_LT(largest_error(ProductType::bf16x3), 2e-5);
  EXPECT_GT(largest_error(ProductType::bf16), 1e-3);
}

} // namespace
} // namespace vlreid
