// Attention of which only one position of each sequence asks: the class token in the last block, the mean in
// the attention pool. Then no keys and values need be made: with q = W_q x_0 the scores are
// q^T W_k x = (W_k^T q)^T x, and the answer is W_v (sum of shares times x): two products with D numbers for
// each head instead of two with D x E for each position. The bias of the keys adds the same to every score of
// a head and drops out. float32, on a CPU and shared_pool().
#pragma once

#include "vlreid/nn/scratch.h"

#include <ATen/Tensor.h>
#include <functional>

namespace vlreid {

struct OneQueryWeights {
  at::Tensor query_weight, query_bias; // [E, D], [E]
  at::Tensor key_weight;               // [E, D]
  at::Tensor value_weight, value_bias; // [E, D], [E]
};

class OneQueryAttention {
public:
  OneQueryAttention() = default;
  OneQueryAttention(const OneQueryWeights& weights, std::int64_t heads, ProductType type = ProductType::f32);

  // Writes the positions of a sequence [N, D]; called from several threads.
  using Sequence = std::function<void(std::int64_t sequence, float* positions)>;

  // askers [B, D] -> out [B, E].
  void attend(const float* askers, std::int64_t batch, std::int64_t positions, const Sequence& sequence,
              float* out) const;

private:
  std::int64_t heads_ = 0;
  ProductType type_ = ProductType::f32;
  Panels queries_; // [E, D]
  std::vector<float> query_bias_, value_bias_;
  std::vector<Panels> keys_;   // of each head, transposed: [D, d]
  std::vector<Panels> values_; // of each head: [d, D]
  struct Buffers {
    Scratch queries, asked, answers; // [B, E], [B, heads, D], [B, heads, D]
  };
  std::shared_ptr<ScratchStore<Buffers>> store_;
};

} // namespace vlreid
