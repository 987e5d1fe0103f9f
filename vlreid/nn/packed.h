// Inference form of a transformer, made once from the training form: adapters merged, weights in the type and
// layout that the matrix products like, no autograd, residual + bias + LayerNorm and bias + QuickGELU fused,
// activations as one [B*N, D] matrix, and the last block only for the token that is read. The residual stream
// stays float32. Immutable after construction and thread safe.
#pragma once

#include "vlreid/nn/fused.h"
#include "vlreid/nn/transformer.h"

namespace vlreid {

struct InferenceType {
  at::ScalarType type = at::kFloat; // of weights and activations: float32 or bfloat16
  // 8-bit matrix products on a CPU: weights on a scale per output channel, activations per row; the rest is
  // float32, and so is `type`.
  bool is_int8 = false;
};

// x [M, in] -> [M, out] in `type`. Weights are packed for the machine once. Copies share the packed weights.
class PackedLinear {
public:
  PackedLinear() = default;
  // weight [out, in]; bias [out] or undefined. Copies both.
  PackedLinear(const at::Tensor& weight, const at::Tensor& bias, InferenceType type);
  at::Tensor forward(const at::Tensor& x) const;

private:
  struct State;
  std::shared_ptr<State> state_;
};

// What the encoder reads of a sequence: the token at position 0.
struct ReadToken {
  at::Tensor before_last_block; // [B, D] float32, raw
  at::Tensor after_last_block;  // [B, D] float32, raw
};

class PackedTransformer {
public:
  PackedTransformer(const Transformer& transformer, InferenceType type);

  // x [B, N, D] float32, used up as the residual stream. No mask: every token sees every token.
  ReadToken read_first_token(at::Tensor x) const;

private:
  struct Block {
    NormWeights ln_1 = {}, ln_2 = {};
    PackedLinear qkv = {};        // all blocks but the last
    PackedLinear q = {}, kv = {}; // the last block
    PackedLinear out = {}, fc = {}, proj = {};
    at::Tensor out_bias = {}, fc_bias = {}, proj_bias = {}; // [D], [4D], [D] float32
    at::Tensor prompt = {};                                 // [n, D] float32 or undefined
  };
  struct Residual {
    at::Tensor x;           // [B*N, D] float32
    at::Tensor branch = {}; // what is still to be added to x, or undefined
    at::Tensor branch_bias = {};
  };

  Block pack(ResidualBlock& block, bool is_last) const;
  at::Tensor norm(Residual& residual, const NormWeights& weights) const;
  void insert_prompt(Residual& residual, const Block& block, std::int64_t batch) const;
  void run(Residual& residual, const Block& block, std::int64_t batch) const;
  ReadToken run_last(Residual& residual, const Block& block, std::int64_t batch) const;
  void run_mlp(Residual& residual, const Block& block) const;

  std::vector<Block> blocks_;
  std::int64_t heads_;
  InferenceType type_;
};

} // namespace vlreid
