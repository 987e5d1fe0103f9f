#include "vlreid/nn/learning_products.h"

#include "vlreid/base/thread_pool.h"
#include "vlreid/nn/pooled_product.h"
#include "vlreid/nn/scratch.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <algorithm>
#include <cstring>

namespace vlreid {
namespace {

// Dimensions that are summed up at once: a strip of so deep rows is wide enough to use each panel often.
constexpr std::int64_t kDepth = 768;
// Below, packing and waking the threads cost more than they bring.
constexpr std::int64_t kFewestRows = 256;
constexpr std::int64_t kFewestProducts = std::int64_t{1} << 26;

bool pays(const at::Tensor& x, std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  static const bool is_fast = std::strcmp(product_kernel(), "plain") != 0;
  return is_fast && x.device().is_cpu() && x.scalar_type() == at::kFloat &&
         std::max(rows, depth) >= kFewestRows && rows * columns * depth >= kFewestProducts;
}

// With rows whose numbers stand beside each other.
at::Tensor readable(const at::Tensor& x) {
  return x.stride(1) == 1 && x.stride(0) >= x.size(1) ? x : x.contiguous();
}

// A matrix of floats, or the transpose of one.
struct Matrix {
  const float* values = nullptr;
  std::int64_t rows = 0, columns = 0; // of the transpose, where it is meant
  std::int64_t stride = 0;            // of what is stored
  bool is_transposed = false;

  const float* at_column(std::int64_t column) const { return values + column * (is_transposed ? stride : 1); }
};

// `x` is to live as long.
Matrix matrix_of(const at::Tensor& x) {
  return {
      .values = x.const_data_ptr<float>(), .rows = x.size(0), .columns = x.size(1), .stride = x.stride(0)};
}

Matrix transposed(const Matrix& x) {
  return {x.values, x.columns, x.rows, x.stride, !x.is_transposed};
}

// B as panels, divided into parts of its dimensions. Used for one B after the other: it keeps its memory.
class DeepPanels {
public:
  void pack(const Matrix& b) {
    const std::int64_t depth = b.columns;
    count_ = std::max<std::int64_t>((depth + kDepth - 1) / kDepth, 1);
    begins_.clear();
    while (std::ssize(parts_) < count_)
      parts_.emplace_back(0, 0);
    for (std::int64_t part = 0; part < count_; ++part) {
      begins_.push_back(depth * part / count_);
      parts_[part].resize(b.rows, depth * (part + 1) / count_ - begins_.back());
    }
    const std::int64_t panels = parts_.front().panels();
    shared_pool().parallel_for(count_ * panels, 4, [&](std::size_t begin, std::size_t end, int) {
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i)
        fill(i / panels, i % panels, b);
    });
  }

  std::int64_t columns() const { return parts_.front().rows(); }

  // out = a b^T + bias, or out += a b^T
  void multiply_with(const Matrix& a, const Epilogue& epilogue, ProductOutput out) const {
    const auto [most, unit] = strip_sizes();
    const Strips strips(a.rows, most, unit, shared_pool().size());
    shared_pool().parallel_for(strips.count(), 1, [&](std::size_t begin, std::size_t end, int) {
      thread_local PackedRows rows;
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
        const std::int64_t first = strips.begin(i), count = strips.begin(i + 1) - first;
        for (std::int64_t part = 0; part < count_; ++part) {
          const Panels& panels = parts_[part];
          const float* from = a.at_column(begins_[part]);
          if (a.is_transposed)
            rows.load_transposed(from + first, count, a.stride, panels);
          else
            rows.load({from + first * a.stride, count, a.stride}, panels);
          multiply(rows, panels, {0, columns()}, part == 0 ? epilogue : Epilogue{.kind = Epilogue::Kind::add},
                   {out.values + first * out.stride, out.stride});
        }
      }
    });
  }

private:
  void fill(std::int64_t part, std::int64_t panel, const Matrix& b) {
    const float* from = b.at_column(begins_[part]);
    if (b.is_transposed)
      parts_[part].fill_transposed(panel, from, b.stride);
    else
      parts_[part].fill(panel, from, b.stride);
  }

  struct StripSizes {
    std::int64_t most, unit;
  };
  StripSizes strip_sizes() const {
    const Panels& deepest = parts_[count_ - 1];
    return {rows_that_stay_in_cache(deepest), rows_at_once(deepest)};
  }

  std::int64_t count_ = 0;           // of parts
  std::vector<std::int64_t> begins_; // of the parts' dimensions
  std::vector<Panels> parts_;        // these and some for later
};

// Lives as long as the program: a graph that holds packed weights may too.
ScratchStore<DeepPanels>& panel_store() {
  static auto& store = *new ScratchStore<DeepPanels>;
  return store;
}

} // namespace

struct WeightProduct::Packed {
  ScratchStore<DeepPanels>::Loan panels;
  at::Tensor bias; // contiguous, or undefined

  Packed(const Matrix& b, const at::Tensor& given_bias) : panels(panel_store().borrow()) {
    panels->pack(b);
    if (given_bias.defined()) bias = given_bias.contiguous();
  }
};

WeightProduct::WeightProduct(const at::Tensor& factor, const at::Tensor& bias, std::int64_t rows)
    : factor_(factor), bias_(bias) {
  if (!pays(factor, rows, factor.size(1), factor.size(0))) return;
  const bool is_stored_transposed = factor.stride(0) == 1;
  const at::Tensor stored = readable(is_stored_transposed ? factor.t() : factor);
  const Matrix b = is_stored_transposed ? matrix_of(stored) : transposed(matrix_of(stored));
  packed_ = std::make_shared<const Packed>(b, bias);
}

WeightProduct WeightProduct::forward(const at::Tensor& weight, const at::Tensor& bias, std::int64_t rows) {
  return {weight.t(), bias, rows};
}

WeightProduct WeightProduct::backward(const at::Tensor& weight, std::int64_t rows) {
  return {weight, {}, rows};
}

void WeightProduct::into(at::Tensor& out, const at::Tensor& rows) const {
  if (packed_ != nullptr) {
    const at::Tensor a = readable(rows);
    const float* bias = packed_->bias.defined() ? packed_->bias.const_data_ptr<float>() : nullptr;
    packed_->panels->multiply_with(matrix_of(a), {.bias = bias},
                                   {out.mutable_data_ptr<float>(), out.stride(0)});
  } else if (bias_.defined()) {
    at::addmm_out(out, bias_, rows, factor_);
  } else {
    at::mm_out(out, rows, factor_);
  }
}

at::Tensor WeightProduct::of(const at::Tensor& rows) const {
  at::Tensor out = at::empty({rows.size(0), factor_.size(1)}, rows.options());
  into(out, rows);
  return out;
}

void add_transposed_product(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  const bool is_new = !sum.defined();
  if (!pays(a, a.size(1), b.size(1), a.size(0))) {
    if (is_new)
      sum = at::mm(a.t(), b);
    else
      sum.addmm_(a.t(), b);
    return;
  }
  if (is_new) sum = at::empty({a.size(1), b.size(1)}, a.options());
  const at::Tensor left = readable(a), right = readable(b);
  const auto panels = panel_store().borrow();
  panels->pack(transposed(matrix_of(right)));
  panels->multiply_with(transposed(matrix_of(left)),
                        {.kind = is_new ? Epilogue::Kind::store : Epilogue::Kind::add},
                        {sum.mutable_data_ptr<float>(), sum.stride(0)});
}

} // namespace vlreid
