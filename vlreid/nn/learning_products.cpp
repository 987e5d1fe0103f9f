#include "vlreid/nn/learning_products.h"

#include "vlreid/base/error.h"
#include "vlreid/base/thread_pool.h"
#include "vlreid/nn/fused.h"
#include "vlreid/nn/matrices.h"
#include "vlreid/nn/pooled_product.h"
#include "vlreid/nn/scratch.h"

#include <ATen/cpu/vec/functional.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <algorithm>
#include <cstring>

namespace vlreid {
namespace {

// Dimensions that are summed up at once: a strip of so deep rows is wide enough to use each panel often.
constexpr std::int64_t kDepth = 768;
constexpr std::int64_t kDepthOfNarrow = 1024;
// Below, packing and waking the threads cost more than they bring.
constexpr std::int64_t kFewestRows = 256;
constexpr std::int64_t kFewestProducts = std::int64_t{1} << 26;

bool has_kernel(at::ScalarType type) {
  static const bool is_fast = std::strcmp(product_kernel(), "plain") != 0;
  if (type == at::kFloat) return is_fast;
  return type == at::kBFloat16 && reads_any_numbers(ProductType::bf16);
}

bool pays(const at::Tensor& x, at::ScalarType type, std::int64_t rows, std::int64_t columns,
          std::int64_t depth) {
  const bool is_readable = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return has_kernel(type) && x.device().is_cpu() && is_readable && std::max(rows, depth) >= kFewestRows &&
         rows * columns * depth >= kFewestProducts;
}

// With rows whose numbers stand beside each other.
at::Tensor readable(const at::Tensor& x) {
  return x.stride(1) == 1 && x.stride(0) >= x.size(1) ? x : x.contiguous();
}

// A matrix, or the transpose of one.
struct Matrix {
  Numbers numbers;
  std::int64_t rows = 0, columns = 0; // of the transpose, where it is meant
};

// `x` is to live as long.
Matrix matrix_of(const at::Tensor& x) {
  return {.numbers = numbers_of(x), .rows = x.size(0), .columns = x.size(1)};
}

Matrix transposed(const Matrix& x) {
  return {.numbers = transposed(x.numbers), .rows = x.columns, .columns = x.rows};
}

Bf16* narrow_of(const at::Tensor& x) {
  return static_cast<Bf16*>(x.data_ptr());
}

// B as panels, divided into parts of its dimensions. Used for one B after the other: it keeps its memory.
class DeepPanels {
public:
  explicit DeepPanels(ProductType type) : type_(type) {}

  void pack(const Matrix& b) {
    const std::int64_t depth = b.columns, most = type_ == ProductType::f32 ? kDepth : kDepthOfNarrow;
    count_ = std::max<std::int64_t>((depth + most - 1) / most, 1);
    begins_.clear();
    while (std::ssize(parts_) < count_)
      parts_.emplace_back(0, 0, type_);
    for (std::int64_t part = 0; part < count_; ++part) {
      begins_.push_back(depth * part / count_);
      parts_[part].resize(b.rows, depth * (part + 1) / count_ - begins_.back());
    }
    const std::int64_t panels = parts_.front().panels();
    shared_pool().parallel_for(count_ * panels, 4, [&](std::size_t begin, std::size_t end, int) {
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i)
        parts_[i / panels].fill(i % panels, b.numbers.from(0, begins_[i / panels]));
    });
  }

  // out = a b^T + bias, or out += a b^T + bias
  void multiply_with(const Matrix& a, const Epilogue& epilogue, const ProductOutput& out) const {
    const Panels& deepest = parts_[count_ - 1];
    const Strips strips(a.rows, rows_that_stay_in_cache(deepest), rows_at_once(deepest),
                        shared_pool().size());
    shared_pool().parallel_for(strips.count(), 1, [&](std::size_t begin, std::size_t end, int) {
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
        const std::int64_t first = strips.begin(i);
        Epilogue of_strip = epilogue;
        if (epilogue.hidden != nullptr) of_strip.hidden += first * out.stride;
        if (epilogue.beside != nullptr) of_strip.beside += first * out.stride;
        multiply_strip(a, {first, strips.begin(i + 1) - first}, of_strip, out.from(first, 0));
      }
    });
  }

  std::int64_t columns() const { return parts_.front().rows(); }
  bool is_one_part() const { return count_ == 1; }

private:
  struct Strip {
    std::int64_t first, count; // rows
  };

  void multiply_strip(const Matrix& a, Strip strip, const Epilogue& epilogue,
                      const ProductOutput& out) const {
    thread_local PackedRows rows;
    thread_local Scratch whole; // sums of parts that are to be rounded only once
    const bool is_rounded_later = out.narrow != nullptr && count_ > 1;
    const ProductOutput sums =
        is_rounded_later
            ? ProductOutput{.values = whole.room_for(strip.count * columns()), .stride = columns()}
            : out;
    for (std::int64_t part = 0; part < count_; ++part) {
      rows.load(a.numbers.from(strip.first, begins_[part]), strip.count, parts_[part]);
      multiply(rows, parts_[part], {0, columns()},
               part == 0 ? epilogue : Epilogue{.kind = Epilogue::Kind::add}, sums);
    }
    if (is_rounded_later) round_rows({sums.values, strip.count, sums.stride}, columns(), out);
  }

  static void round_rows(RowBlock from, std::int64_t columns, const ProductOutput& out) {
    for (std::int64_t r = 0; r < from.rows; ++r)
      at::vec::convert(from.values + r * from.stride,
                       reinterpret_cast<at::BFloat16*>(out.narrow + r * out.stride), columns);
  }

  ProductType type_;
  std::int64_t count_ = 0;           // of parts
  std::vector<std::int64_t> begins_; // of the parts' dimensions
  std::vector<Panels> parts_;        // these and some for later
};

// Lives as long as the program: a graph that holds packed weights may too.
ScratchStore<DeepPanels>& panel_store(at::ScalarType type) {
  static auto& floats = *new ScratchStore<DeepPanels>;
  static auto& narrow = *new ScratchStore<DeepPanels>;
  return type == at::kFloat ? floats : narrow;
}

ScratchStore<DeepPanels>::Loan borrow_panels(at::ScalarType type) {
  return panel_store(type).borrow(type == at::kFloat ? ProductType::f32 : ProductType::bf16);
}

} // namespace

struct WeightProduct::Packed {
  ScratchStore<DeepPanels>::Loan panels;
  at::Tensor bias; // contiguous float32, or undefined

  Packed(const Matrix& b, const at::Tensor& given_bias, at::ScalarType type) : panels(borrow_panels(type)) {
    panels->pack(b);
    if (given_bias.defined()) bias = given_bias.to(at::kFloat).contiguous();
  }

  void multiply(const at::Tensor& rows, Epilogue epilogue, const at::Tensor& out) const {
    const at::Tensor a = readable(rows);
    if (bias.defined()) epilogue.bias = bias.const_data_ptr<float>();
    panels->multiply_with(matrix_of(a), epilogue, output_of(out));
  }
};

WeightProduct::WeightProduct(const at::Tensor& factor, const at::Tensor& bias, std::int64_t rows,
                             at::ScalarType type)
    : type_(type), columns_(factor.size(1)) {
  if (!pays(factor, type, rows, factor.size(1), factor.size(0))) {
    factor_ = factor.to(type);
    if (bias.defined()) bias_ = bias.to(type);
    return;
  }
  const bool is_stored_transposed = factor.stride(0) == 1;
  const at::Tensor stored = readable(is_stored_transposed ? factor.t() : factor);
  const Matrix b = is_stored_transposed ? matrix_of(stored) : transposed(matrix_of(stored));
  packed_ = std::make_shared<const Packed>(b, bias, type);
}

WeightProduct WeightProduct::forward(const at::Tensor& weight, const at::Tensor& bias, std::int64_t rows,
                                     at::ScalarType type) {
  return {weight.t(), bias, rows, type};
}

WeightProduct WeightProduct::backward(const at::Tensor& weight, std::int64_t rows, at::ScalarType type) {
  return {weight, {}, rows, type};
}

void WeightProduct::into(at::Tensor& out, const at::Tensor& rows) const {
  if (packed_ != nullptr) return packed_->multiply(rows, {.kind = Epilogue::Kind::store}, out);
  const at::Tensor narrow = rows.to(type_);
  if (out.scalar_type() != type_)
    out.copy_(of(narrow));
  else if (bias_.defined())
    at::addmm_out(out, bias_, narrow, factor_);
  else
    at::mm_out(out, narrow, factor_);
}

void WeightProduct::add_to(at::Tensor& out, const at::Tensor& rows) const {
  if (packed_ != nullptr && out.scalar_type() == at::kFloat)
    packed_->multiply(rows, {.kind = Epilogue::Kind::add}, out);
  else
    out.add_(of(rows));
}

at::Tensor WeightProduct::of(const at::Tensor& rows) const {
  at::Tensor out = at::empty({rows.size(0), columns_}, rows.options().dtype(type_));
  into(out, rows);
  return out;
}

bool WeightProduct::can_activate() const {
  return packed_ != nullptr && type_ == at::kBFloat16 && packed_->panels->is_one_part();
}

at::Tensor WeightProduct::activated(const at::Tensor& rows, at::Tensor& hidden) const {
  if (!can_activate()) {
    into(hidden, rows);
    return quick_gelu_of(hidden);
  }
  VLREID_ASSERT(hidden.is_contiguous());
  at::Tensor out = at::empty_like(hidden);
  packed_->multiply(rows, {.kind = Epilogue::Kind::quick_gelu, .beside = narrow_of(hidden)}, out);
  return out;
}

at::Tensor WeightProduct::through_activation(const at::Tensor& rows, const at::Tensor& hidden,
                                             at::Tensor* activation) const {
  if (!can_activate()) {
    at::Tensor out = of(rows);
    const at::Tensor value = quick_gelu_backward_(out, hidden, activation != nullptr);
    if (activation != nullptr) *activation = value;
    return out;
  }
  VLREID_ASSERT(hidden.is_contiguous());
  at::Tensor out = at::empty_like(hidden);
  if (activation != nullptr) *activation = at::empty_like(hidden);
  packed_->multiply(rows,
                    {.kind = Epilogue::Kind::quick_gelu_backward,
                     .hidden = narrow_of(hidden),
                     .beside = activation == nullptr ? nullptr : narrow_of(*activation)},
                    out);
  return out;
}

void add_transposed_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, at::ScalarType type) {
  const bool is_new = !sum.defined();
  if (!pays(a, type, a.size(1), b.size(1), a.size(0))) {
    if (is_new)
      sum = at::mm(a.to(type).t(), b.to(type));
    else
      sum.addmm_(a.to(type).t(), b.to(type));
    return;
  }
  if (is_new) sum = at::empty({a.size(1), b.size(1)}, a.options().dtype(at::kFloat));
  const at::Tensor left = readable(a), right = readable(b);
  const auto panels = borrow_panels(type);
  panels->pack(transposed(matrix_of(right)));
  panels->multiply_with(transposed(matrix_of(left)),
                        {.kind = is_new ? Epilogue::Kind::store : Epilogue::Kind::add}, output_of(sum));
}

} // namespace vlreid
