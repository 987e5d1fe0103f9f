#include "vlreid/nn/one_query_attention.h"

#include "vlreid/base/thread_pool.h"
#include "vlreid/nn/pooled_product.h"
#include "vlreid/nn/row_ops.h"

#include <algorithm>
#include <cmath>

namespace vlreid {
namespace {

std::vector<float> values_of(const at::Tensor& x) {
  const at::Tensor rows = x.detach().to(at::kFloat).contiguous();
  return {rows.const_data_ptr<float>(), rows.const_data_ptr<float>() + rows.numel()};
}

// Of each thread.
struct SequenceScratch {
  Scratch positions, scores, shares; // [N, D], [N, heads], [heads, N]
  ProductType type = ProductType::f32;
  Panels asked{0, 0}, turned{0, 0}; // of the type; [heads, D], [D, N]

  void fit(ProductType wanted, std::int64_t heads, std::int64_t count, std::int64_t dims) {
    if (type != wanted) {
      asked = Panels(0, 0, wanted);
      turned = Panels(0, 0, wanted);
      type = wanted;
    }
    asked.resize(heads, dims);
    turned.resize(dims, count);
  }
};

// answers [heads, D] = softmax(asked positions^T) positions.
void answer(const float* asked, const float* positions, std::int64_t heads, std::int64_t count,
            std::int64_t dims, SequenceScratch& scratch, float* answers) {
  for (std::int64_t panel = 0; panel < scratch.asked.panels(); ++panel)
    scratch.asked.fill(panel, asked);
  float* scores = scratch.scores.room_for(count * heads);
  multiply({positions, count}, scratch.asked, {0, heads}, scores, heads);
  float* shares = scratch.shares.room_for(heads * count);
  for (std::int64_t head = 0; head < heads; ++head)
    for (std::int64_t n = 0; n < count; ++n)
      shares[head * count + n] = scores[n * heads + head];
  softmax_rows(shares, heads, count, count);
  for (std::int64_t panel = 0; panel < scratch.turned.panels(); ++panel)
    scratch.turned.fill(panel, {.floats = positions, .stride = dims, .is_transposed = true});
  multiply({shares, heads}, scratch.turned, {0, dims}, answers, dims);
}

} // namespace

OneQueryAttention::OneQueryAttention(const OneQueryWeights& weights, std::int64_t heads, ProductType type)
    : heads_(heads), type_(type), query_bias_(values_of(weights.query_bias)),
      value_bias_(values_of(weights.value_bias)), store_(std::make_shared<ScratchStore<Buffers>>()) {
  const std::int64_t width = weights.query_weight.size(0), dims = weights.query_weight.size(1);
  const std::int64_t depth = width / heads;
  const double scale = 1 / std::sqrt(static_cast<double>(depth));
  const at::Tensor queries = (weights.query_weight.detach().to(at::kFloat) * scale).contiguous();
  queries_ = pack_on_pool({queries.const_data_ptr<float>(), width}, dims, type);
  for (float& bias : query_bias_)
    bias *= static_cast<float>(scale);
  const std::vector<float> keys = values_of(weights.key_weight), values = values_of(weights.value_weight);
  for (std::int64_t head = 0; head < heads; ++head) {
    Panels& turned = keys_.emplace_back(dims, depth, type);
    for (std::int64_t panel = 0; panel < turned.panels(); ++panel)
      turned.fill(panel,
                  {.floats = keys.data() + head * depth * dims, .stride = dims, .is_transposed = true});
    values_.emplace_back(RowBlock{values.data() + head * depth * dims, depth}, dims, type);
  }
}

void OneQueryAttention::attend(const float* askers, std::int64_t batch, std::int64_t positions,
                               const Sequence& sequence, float* out) const {
  const std::int64_t width = queries_.rows(), dims = queries_.dims(), depth = width / heads_;
  const auto buffers = store_->borrow();
  float* queries = buffers->queries.room_for(batch * width);
  float* asked = buffers->asked.room_for(batch * heads_ * dims);
  float* answers = buffers->answers.room_for(batch * heads_ * dims);
  multiply_on_pool({askers, batch}, queries_, {.bias = query_bias_.data()}, {queries, width});
  ThreadPool& pool = shared_pool();
  pool.parallel_for(heads_, 1, [&](std::size_t head, std::size_t, int) {
    multiply({queries + head * depth, batch, width}, keys_[head], {0, dims}, asked + head * dims,
             heads_ * dims);
  });
  pool.parallel_for(batch, 1, [&](std::size_t begin, std::size_t, int) {
    thread_local SequenceScratch scratch;
    const auto i = static_cast<std::int64_t>(begin);
    float* rows = scratch.positions.room_for(positions * dims);
    sequence(i, rows);
    scratch.fit(type_, heads_, positions, dims);
    answer(asked + i * heads_ * dims, rows, heads_, positions, dims, scratch, answers + i * heads_ * dims);
  });
  pool.parallel_for(heads_, 1, [&](std::size_t begin, std::size_t, int) {
    thread_local PackedRows rows;
    const auto head = static_cast<std::int64_t>(begin);
    const Panels& values = values_[begin];
    const std::int64_t most = rows_that_stay_in_cache(values);
    for (std::int64_t first = 0; first < batch; first += most) {
      rows.load({answers + (first * heads_ + head) * dims, std::min(most, batch - first), heads_ * dims},
                values);
      multiply(rows, values, {0, depth}, {.bias = value_bias_.data() + head * depth},
               {out + first * width + head * depth, width});
    }
  });
}

} // namespace vlreid
