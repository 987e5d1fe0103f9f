#include "vlreid/nn/head_attention.h"

#include "vlreid/base/thread_pool.h"
#include "vlreid/nn/matrices.h"
#include "vlreid/nn/row_ops.h"
#include "vlreid/nn/scratch.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <cmath>
#include <functional>

namespace vlreid {
namespace {

// Of each thread of the pool.
struct HeadScratch {
  ProductType type = ProductType::f32; // of the panels
  Panels panels;
  Scratch shares, gradient; // [N, N] each
};

struct Shape {
  std::int64_t batch, tokens, heads, depth;
  ProductType type;
  const float* mask; // [N, N] or null

  Shape(const at::Tensor& packed, std::int64_t head_count, const at::Tensor& given_mask)
      : batch(packed.size(0)), tokens(packed.size(1)), heads(head_count),
        depth(packed.size(2) / (3 * head_count)),
        type(packed.scalar_type() == at::kBFloat16 ? ProductType::bf16 : ProductType::f32),
        mask(given_mask.defined() ? given_mask.const_data_ptr<float>() : nullptr) {}

  std::int64_t width() const { return heads * depth; }
  float scale() const { return static_cast<float>(1 / std::sqrt(static_cast<double>(depth))); }
};

// One head of one sequence: [N, d] each.
class Head {
public:
  Head(const Shape& shape, const Numbers& packed, HeadScratch& scratch)
      : shape_(shape), scratch_(scratch), queries_(packed), keys_(packed.from(0, shape.width())),
        values_(packed.from(0, 2 * shape.width())) {
    if (scratch.type == shape.type && scratch.panels.panels() > 0) return;
    scratch.panels = Panels(0, 0, shape.type);
    scratch.type = shape.type;
  }

  // out = a b^T: a of N rows, b of `columns` rows.
  void multiply_rows(const Numbers& a, const Numbers& b, std::int64_t columns, std::int64_t dims,
                     const ProductOutput& out) {
    Panels& panels = scratch_.panels;
    panels.resize(columns, dims);
    for (std::int64_t panel = 0; panel < panels.panels(); ++panel)
      panels.fill(panel, b);
    multiply(a, shape_.tokens, panels, {}, out);
  }

  // softmax(QK^T / sqrt(d) + mask) [N, N]
  Numbers shares() {
    const std::int64_t tokens = shape_.tokens;
    float* shares = scratch_.shares.room_for(tokens * tokens);
    multiply_rows(queries_, keys_, tokens, shape_.depth, {shares, tokens});
    if (shape_.mask == nullptr) {
      softmax_rows(shares, tokens, tokens, tokens, shape_.scale());
    } else {
      for (std::int64_t i = 0; i < tokens * tokens; ++i)
        shares[i] = shares[i] * shape_.scale() + shape_.mask[i];
      softmax_rows(shares, tokens, tokens, tokens);
    }
    return {.floats = shares, .stride = tokens};
  }

  void attend(const ProductOutput& out) {
    multiply_rows(shares(), transposed(values_), shape_.depth, shape_.tokens, out);
  }

  // `given` is the gradient of what attend() gave.
  void attend_backward(const Numbers& given, const ProductOutput& of_queries, const ProductOutput& of_keys,
                       const ProductOutput& of_values) {
    const std::int64_t tokens = shape_.tokens, depth = shape_.depth;
    const Numbers shares = this->shares();
    multiply_rows(transposed(shares), transposed(given), depth, tokens, of_values);
    float* gradient = scratch_.gradient.room_for(tokens * tokens);
    multiply_rows(given, values_, tokens, depth, {gradient, tokens}); // of the shares
    softmax_backward_rows(shares.floats, gradient, tokens, tokens, shape_.scale());
    const Numbers of_scores{.floats = gradient, .stride = tokens};
    multiply_rows(of_scores, transposed(keys_), depth, tokens, of_queries);
    multiply_rows(transposed(of_scores), transposed(queries_), depth, tokens, of_keys);
  }

private:
  const Shape& shape_;
  HeadScratch& scratch_;
  Numbers queries_, keys_, values_;
};

// Calls body(head, first row of its sequence, its first column) for all of them on all threads.
void for_heads(const Shape& shape, const at::Tensor& packed,
               const std::function<void(Head&, std::int64_t, std::int64_t)>& body) {
  const Numbers numbers = numbers_of(packed.flatten(0, 1));
  shared_pool().parallel_for(shape.batch * shape.heads, 1, [&](std::size_t begin, std::size_t end, int) {
    thread_local HeadScratch scratch;
    for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
      const std::int64_t row = i / shape.heads * shape.tokens, column = i % shape.heads * shape.depth;
      Head head(shape, numbers.from(row, column), scratch);
      body(head, row, column);
    }
  });
}

} // namespace

bool has_head_attention(const at::Tensor& packed) {
  return packed.device().is_cpu() && packed.scalar_type() == at::kBFloat16 &&
         reads_any_numbers(ProductType::bf16);
}

at::Tensor head_attention(const at::Tensor& packed, std::int64_t heads, const at::Tensor& mask) {
  const Shape shape(packed, heads, mask);
  at::Tensor out = at::empty({shape.batch, shape.tokens, shape.width()}, packed.options());
  const ProductOutput of_all = output_of(out.view({-1, shape.width()}));
  for_heads(shape, packed, [&](Head& head, std::int64_t row, std::int64_t column) {
    head.attend(of_all.from(row, column));
  });
  return out;
}

at::Tensor head_attention_backward(const at::Tensor& gradient, const at::Tensor& packed, std::int64_t heads,
                                   const at::Tensor& mask) {
  const Shape shape(packed, heads, mask);
  at::Tensor out = at::empty_like(packed);
  const at::Tensor given_rows = gradient.contiguous().view({-1, shape.width()});
  const Numbers given = numbers_of(given_rows);
  const ProductOutput of_all = output_of(out.view({-1, 3 * shape.width()}));
  for_heads(shape, packed, [&](Head& head, std::int64_t row, std::int64_t column) {
    const auto part = [&](std::int64_t number) { return of_all.from(row, number * shape.width() + column); };
    head.attend_backward(given.from(row, column), part(0), part(1), part(2));
  });
  return out;
}

} // namespace vlreid
