#include "vlreid/nn/packed.h"

#include "vlreid/base/error.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sigmoid.h>
#include <c10/core/GradMode.h>

namespace vlreid {
namespace {

struct AtenLinear {
  at::Tensor weight, bias; // [out, in], [out] or undefined

  AtenLinear() = default;
  AtenLinear(const at::Tensor& w, const at::Tensor& b, InferenceType type)
      : weight(w.detach().to(type.type, false, /*copy=*/true)),
        bias(b.defined() ? b.detach().to(type.type, false, /*copy=*/true) : at::Tensor()) {}

  at::Tensor forward(const at::Tensor& x) const {
    return bias.defined() ? at::addmm(bias, x, weight.t()) : at::mm(x, weight.t());
  }
};

struct NormWeights {
  at::Tensor weight, bias; // [D] float32
};

// A float32 copy of our own, so that later changes of the module do not reach the inference form.
at::Tensor own(const at::Tensor& x) {
  return x.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
}

NormWeights own(const LayerNorm& norm) {
  return {own(norm.weight), own(norm.bias)};
}

class AtenTransformer : public PackedTransformer::Form {
public:
  AtenTransformer(const Transformer& transformer, InferenceType type)
      : heads_(transformer.shape().heads), type_(type) {
    const c10::NoGradGuard no_grad;
    for (std::int64_t i = 0; i < transformer.depth(); ++i)
      blocks_.push_back(pack(transformer.block(i), i + 1 == transformer.depth()));
  }

  ReadToken read_first_token(at::Tensor x) const override;

private:
  struct Block {
    NormWeights ln_1 = {}, ln_2 = {};
    AtenLinear qkv = {};        // all blocks but the last
    AtenLinear q = {}, kv = {}; // the last block
    AtenLinear out = {}, fc = {}, proj = {};
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

AtenTransformer::Block AtenTransformer::pack(ResidualBlock& block, bool is_last) const {
  const AttentionWeights attention = block.attn->effective_weights();
  const std::int64_t width = block.attn->width();
  Block packed{.ln_1 = own(*block.ln_1), .ln_2 = own(*block.ln_2)};
  if (is_last) {
    packed.q = {attention.in_weight.slice(0, 0, width), attention.in_bias.slice(0, 0, width), type_};
    packed.kv = {attention.in_weight.slice(0, width), attention.in_bias.slice(0, width), type_};
  } else {
    packed.qkv = {attention.in_weight, attention.in_bias, type_};
  }
  packed.out = {attention.out_weight, {}, type_};
  packed.fc = {block.mlp->c_fc->effective_weight(), {}, type_};
  packed.proj = {block.mlp->c_proj->effective_weight(), {}, type_};
  packed.out_bias = own(attention.out_bias);
  packed.fc_bias = own(block.mlp->c_fc->bias);
  packed.proj_bias = own(block.mlp->c_proj->bias);
  if (block.VPT_shallow.defined()) packed.prompt = own(block.VPT_shallow);
  return packed;
}

ReadToken AtenTransformer::read_first_token(at::Tensor x) const {
  const c10::NoGradGuard no_grad;
  const std::int64_t batch = x.size(0);
  Residual residual{.x = x.contiguous().view({-1, x.size(2)})};
  for (std::size_t i = 0; i + 1 < blocks_.size(); ++i) {
    insert_prompt(residual, blocks_[i], batch);
    run(residual, blocks_[i], batch);
  }
  insert_prompt(residual, blocks_.back(), batch);
  return run_last(residual, blocks_.back(), batch);
}

// Adds the branch to the residual stream, then LayerNorm.
at::Tensor AtenTransformer::norm(Residual& residual, const NormWeights& weights) const {
  const at::Tensor branch = std::exchange(residual.branch, {});
  if (branch.defined()) residual.x.add_(branch).add_(residual.branch_bias);
  return at::layer_norm(residual.x, {residual.x.size(1)}, weights.weight, weights.bias, kLayerNormEpsilon)
      .to(type_.type);
}

void AtenTransformer::insert_prompt(Residual& residual, const Block& block, std::int64_t batch) const {
  if (!block.prompt.defined()) return;
  if (residual.branch.defined()) residual.x.add_(residual.branch).add_(residual.branch_bias);
  residual.branch = at::Tensor();
  const at::Tensor tokens = residual.x.view({batch, -1, residual.x.size(1)});
  tokens.slice(1, tokens.size(1) - block.prompt.size(0)).copy_(block.prompt); // the last n tokens
}

void AtenTransformer::run(Residual& residual, const Block& block, std::int64_t batch) const {
  const std::int64_t width = residual.x.size(1);
  const at::Tensor qkv = block.qkv.forward(norm(residual, block.ln_1));
  // [B*N, 3D] -> three [B, h, N, d] without a copy
  const at::Tensor parts = qkv.view({batch, -1, 3, heads_, width / heads_}).permute({2, 0, 3, 1, 4});
  const at::Tensor attended = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  residual.branch = block.out.forward(attended.transpose(1, 2).reshape({-1, width}));
  residual.branch_bias = block.out_bias;
  run_mlp(residual, block);
}

ReadToken AtenTransformer::run_last(Residual& residual, const Block& block, std::int64_t batch) const {
  const std::int64_t width = residual.x.size(1);
  const at::Tensor normed = norm(residual, block.ln_1);
  const at::Tensor first = residual.x.view({batch, -1, width}).select(1, 0).contiguous(); // [B, D]
  const at::Tensor queries = block.q.forward(normed.view({batch, -1, width}).select(1, 0).contiguous());
  const at::Tensor context =
      block.kv.forward(normed).view({batch, -1, 2, heads_, width / heads_}).permute({2, 0, 3, 1, 4});
  const at::Tensor attended = at::scaled_dot_product_attention(
      queries.view({batch, 1, heads_, width / heads_}).transpose(1, 2), context[0], context[1]);
  Residual token{.x = first.clone(),
                 .branch = block.out.forward(attended.reshape({batch, width})),
                 .branch_bias = block.out_bias};
  run_mlp(token, block);
  return {.before_last_block = first, .after_last_block = token.x.add_(token.branch).add_(token.branch_bias)};
}

void AtenTransformer::run_mlp(Residual& residual, const Block& block) const {
  at::Tensor hidden = block.fc.forward(norm(residual, block.ln_2)); // [M, 4D]
  hidden.add_(block.fc_bias);
  hidden.mul_(at::sigmoid(kQuickGeluSlope * hidden));
  residual.branch = block.proj.forward(hidden);
  residual.branch_bias = block.proj_bias;
}

} // namespace

std::shared_ptr<const PackedTransformer::Form> aten_form(const Transformer& transformer, InferenceType type) {
  VLREID_REQUIRE(!type.is_int8 && !type.is_bf16x3, ErrorKind::config, "int8, bf16x3",
                 "these types of products exist on a CPU only", "f32 or bf16", "use one of them");
  return std::make_shared<AtenTransformer>(transformer, type);
}

} // namespace vlreid
