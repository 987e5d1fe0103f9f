// Pre-norm transformer blocks as CLIP has them (`ln_1`, `attn`, `ln_2`, `mlp.c_fc`, `mlp.c_proj`), for images
// and text. A block of IVLP also carries `VPT_shallow`. Training form, differentiable.
//
// A block can be run on part of a sequence: keys_values() of all positions, then attend_to() for the
// positions that are read. That gives the exact savings: the last block only for the class or end token, and
// a prefix that all sequences share computed once.
#pragma once

#include "vlreid/nn/attention.h"
#include "vlreid/nn/recompute.h"

#include <vector>

namespace vlreid {

struct TransformerShape {
  std::int64_t width;
  std::int64_t layers;
  std::int64_t heads;
  // IVLP: learned tokens per block from block 1 on (`VPT_shallow`); 0 for none.
  std::int64_t visual_prompts = 0;
};

// What a backward pass makes again instead of finding it kept. The results are the same, bit for bit.
enum class Recompute {
  nothing,
  hidden, // the first product of every MLP: 40 % less memory for a tenth more work (LoRA: a sixth)
  blocks, // everything inside every block: only the inputs of the blocks are kept, for a third more work
};

class Mlp : public torch::nn::Module {
public:
  explicit Mlp(std::int64_t width);
  // x + the two layers of norm(x).
  at::Tensor add_to(const at::Tensor& x, const LayerNorm& norm, bool keeps_hidden);
  // "c_fc" or "c_proj" is replaced by a layer of the same shape.
  void replace_layer(const std::string& name, std::shared_ptr<Linear> layer);

  std::shared_ptr<Linear> c_fc, c_proj; // D -> 4D -> D
};

class ResidualBlock : public torch::nn::Module {
public:
  explicit ResidualBlock(const TransformerShape& shape, bool has_prompt);

  // x [B, N, D], mask [N, N] added to the scores or undefined.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& mask = {});
  // Keys and values of every position of x.
  KeysValues keys_values(const at::Tensor& x);
  // The block's result at the positions x [B, M, D] that read from `context`; mask [M, N] or undefined.
  at::Tensor attend_to(const at::Tensor& x, const KeysValues& context, const at::Tensor& mask = {});

  void replace_attention(std::shared_ptr<Attention> attention);
  void set_recompute(Recompute what) { recompute_ = what; }

  at::Tensor VPT_shallow; // [n, D], undefined without IVLP
  std::shared_ptr<Attention> attn;
  std::shared_ptr<LayerNorm> ln_1, ln_2;
  std::shared_ptr<Mlp> mlp;

private:
  at::Tensor finish(const at::Tensor& x, const at::Tensor& attended);
  // function(inputs), or the same with what is inside made again in the backward pass.
  std::vector<at::Tensor> run(const Recomputable& function, std::vector<at::Tensor> inputs) const;

  Recompute recompute_ = Recompute::nothing;
};

// Children `resblocks.0`, `resblocks.1`, ...
class Transformer : public torch::nn::Module {
public:
  explicit Transformer(const TransformerShape& shape);

  std::int64_t depth() const { return static_cast<std::int64_t>(blocks_.size()); }
  ResidualBlock& block(std::int64_t index) const { return *blocks_.at(static_cast<std::size_t>(index)); }
  const TransformerShape& shape() const { return shape_; }
  // Of every block, from the next forward pass on.
  void set_recompute(Recompute what);

private:
  TransformerShape shape_;
  std::vector<std::shared_ptr<ResidualBlock>> blocks_;
};

// x [B, N, D] with positions [at, at + n) replaced by tokens [n, D], [1, n, D] or [B, n, D]. x itself stays.
at::Tensor with_tokens_replaced(const at::Tensor& x, std::int64_t at, const at::Tensor& tokens);

} // namespace vlreid
