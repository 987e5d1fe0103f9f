// Inference form of a transformer, made once from the training form: adapters merged, weights in the type and
// layout that the matrix products like, no autograd, and the last block only for the token that is read. The
// residual stream stays float32. Immutable after construction and thread safe.
//
// On a CPU (packed_cpu.cpp) everything is our own: a strip of rows that stays in the second-level cache goes
// through LayerNorm, products and activation before the next one, with bias, QuickGELU and the addition to
// the residual stream done where a sum is complete. On other devices (packed_aten.cpp) the same steps in
// ATen.
#pragma once

#include "vlreid/nn/transformer.h"

namespace vlreid {

struct InferenceType {
  // Of the numbers that are multiplied: float32 or bfloat16. A CPU without instructions for bfloat16 rounds
  // and multiplies in float32.
  at::ScalarType type = at::kFloat;
  // 8-bit products on a CPU: weights on a scale per output channel, activations per row; `type` is float32.
  bool is_int8 = false;
  // On a CPU, float32 from three products of bfloat16: both sides split in two (Henry, Tang and Heinecke,
  // "Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations", 2019).
  bool is_bf16x3 = false;
};

// x [M, in] -> [M, out] float32 (other devices: in `type`). Weights are packed for the machine once. Copies
// share them.
class PackedLinear {
public:
  PackedLinear() = default;
  // weight [out, in]; bias [out] or undefined. Copies both.
  PackedLinear(const at::Tensor& weight, const at::Tensor& bias, InferenceType type);
  at::Tensor forward(const at::Tensor& x) const;

private:
  struct State;
  std::shared_ptr<const State> state_;
};

// What the encoder reads of a sequence: the token at position 0.
struct ReadToken {
  at::Tensor before_last_block; // [B, D] float32, raw
  at::Tensor after_last_block;  // [B, D] float32, raw
};

class PackedTransformer {
public:
  PackedTransformer(const Transformer& transformer, InferenceType type);
  // ATen's form on any device.
  static PackedTransformer with_aten(const Transformer& transformer, InferenceType type);

  // x [B, N, D] float32, used up as the residual stream. No mask: every token sees every token.
  ReadToken read_first_token(at::Tensor x) const;

  struct Form;

private:
  explicit PackedTransformer(std::shared_ptr<const Form> form);
  std::shared_ptr<const Form> form_;
};

struct PackedTransformer::Form {
  virtual ~Form() = default;
  virtual ReadToken read_first_token(at::Tensor x) const = 0;
};

// Internal: the two forms.
std::shared_ptr<const PackedTransformer::Form> cpu_form(const Transformer& transformer, InferenceType type);
std::shared_ptr<const PackedTransformer::Form> aten_form(const Transformer& transformer, InferenceType type);

} // namespace vlreid
