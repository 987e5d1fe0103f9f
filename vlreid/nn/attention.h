// Multi-head self-attention with heads of 64 numbers, in the two layouts that checkpoints have: packed
// (`in_proj_weight`, `out_proj`: CLIP) and split (`q_proj k_proj v_proj proj`: FT's blocks with LoRA).
// Training form, differentiable; see nn/packed.h for inference.
//
// Letters: B sequences, N positions, D width, h heads, d = D/h.
#pragma once

#include "vlreid/nn/layers.h"
#include "vlreid/tensor/dims.h"

#include <memory>
#include <optional>

namespace vlreid {

struct KeysValues {
  at::Tensor keys, values; // [B, h, N, d]
};

struct QueriesKeysValues {
  at::Tensor queries; // [B, h, N, d]
  KeysValues context;
};

// What an inference form multiplies with.
struct AttentionWeights {
  at::Tensor in_weight;  // [3D, D]: queries, keys, values
  at::Tensor in_bias;    // [3D]
  at::Tensor out_weight; // [D, D]
  at::Tensor out_bias;   // [D]
};

// softmax(QK^T / sqrt(d) + mask) V -> [B, N, D]. `mask` is added to the scores ([Nq, Nk], or undefined).
at::Tensor attend(const at::Tensor& queries, const KeysValues& context, const at::Tensor& mask);

class Attention : public torch::nn::Module {
public:
  Attention(std::int64_t width, std::int64_t heads) : width_(width), heads_(heads) {}

  // Every position asks and answers: x [B, N, D] before `norm` -> [B, N, D] before output().
  virtual at::Tensor attend_all(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& mask);
  // What every position of x [B, N, D] before `norm` answers with.
  virtual KeysValues answers_of(const at::Tensor& x, const LayerNorm& norm);
  virtual QueriesKeysValues project(const at::Tensor& x) = 0; // x [B, N, D]
  virtual at::Tensor project_queries(const at::Tensor& x) = 0;
  virtual KeysValues project_context(const at::Tensor& x) = 0;
  virtual Linear& output() const = 0; // [B, N, D] -> [B, N, D] after the attention
  virtual AttentionWeights effective_weights() const = 0;

  std::int64_t width() const { return width_; }
  std::int64_t heads() const { return heads_; }

protected:
  // [B, N, k D] -> [k, B, h, N, d]
  at::Tensor split_heads(const at::Tensor& x, std::int64_t parts) const;

private:
  std::int64_t width_, heads_;
};

class PackedAttention : public Attention {
public:
  PackedAttention(std::int64_t width, std::int64_t heads);

  at::Tensor attend_all(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& mask) override;
  QueriesKeysValues project(const at::Tensor& x) override;
  at::Tensor project_queries(const at::Tensor& x) override;
  KeysValues project_context(const at::Tensor& x) override;
  Linear& output() const override { return *out_proj; }
  AttentionWeights effective_weights() const override;

  at::Tensor in_proj_weight, in_proj_bias; // [3D, D], [3D]
  std::shared_ptr<Linear> out_proj;
};

class SplitAttention : public Attention {
public:
  SplitAttention(std::int64_t width, std::int64_t heads);

  QueriesKeysValues project(const at::Tensor& x) override;
  at::Tensor project_queries(const at::Tensor& x) override;
  KeysValues project_context(const at::Tensor& x) override;
  Linear& output() const override { return *proj; }
  AttentionWeights effective_weights() const override;

  // "q_proj", "k_proj", "v_proj" or "proj" is replaced by a layer of the same shape.
  void replace_projection(const std::string& name, std::shared_ptr<Linear> layer);

  std::shared_ptr<Linear> q_proj, k_proj, v_proj, proj;
};

// The same weights in the split layout. REQUIRES: equal widths.
void copy_split(const PackedAttention& packed, SplitAttention& parts);

} // namespace vlreid
