#include "vlreid/nn/attention.h"

#include "vlreid/base/error.h"
#include "vlreid/nn/block_ops.h"
#include "vlreid/tensor/untouched_zeros.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

namespace vlreid {

at::Tensor attend(const at::Tensor& queries, const KeysValues& context, const at::Tensor& mask) {
  std::optional<at::Tensor> added;
  if (mask.defined()) added = mask;
  const at::Tensor y = at::scaled_dot_product_attention(queries, context.keys, context.values, added);
  return y.transpose(1, 2).flatten(2); // [B, h, N, d] -> [B, N, D]
}

at::Tensor Attention::attend_all(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& mask) {
  const QueriesKeysValues projected = project(norm.forward(x));
  return attend(projected.queries, projected.context, mask);
}

KeysValues Attention::answers_of(const at::Tensor& x, const LayerNorm& norm) {
  return project_context(norm.forward(x));
}

at::Tensor Attention::split_heads(const at::Tensor& x, std::int64_t parts) const {
  return x.view({x.size(0), x.size(1), parts, heads_, width_ / heads_}).permute({2, 0, 3, 1, 4});
}

PackedAttention::PackedAttention(std::int64_t width, std::int64_t heads) : Attention(width, heads) {
  in_proj_weight = register_parameter("in_proj_weight", untouched_zeros({3 * width, width}));
  in_proj_bias = register_parameter("in_proj_bias", at::zeros({3 * width}));
  out_proj = register_module("out_proj", std::make_shared<Linear>(LinearShape{.in = width, .out = width}));
}

at::Tensor PackedAttention::attend_all(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& mask) {
  if (!x.device().is_cpu()) return Attention::attend_all(x, norm, mask);
  return attend_packed(norm_linear(x, norm, in_proj_weight, in_proj_bias), heads(), mask);
}

QueriesKeysValues PackedAttention::project(const at::Tensor& x) {
  const at::Tensor all = split_heads(at::linear(x, in_proj_weight, in_proj_bias), 3);
  return {all[0], {all[1], all[2]}};
}

at::Tensor PackedAttention::project_queries(const at::Tensor& x) {
  return split_heads(at::linear(x, in_proj_weight.slice(0, 0, width()), in_proj_bias.slice(0, 0, width())),
                     1)[0];
}

KeysValues PackedAttention::project_context(const at::Tensor& x) {
  const at::Tensor both =
      split_heads(at::linear(x, in_proj_weight.slice(0, width()), in_proj_bias.slice(0, width())), 2);
  return {both[0], both[1]};
}

AttentionWeights PackedAttention::effective_weights() const {
  return {in_proj_weight, in_proj_bias, out_proj->effective_weight(), out_proj->bias};
}

SplitAttention::SplitAttention(std::int64_t width, std::int64_t heads) : Attention(width, heads) {
  const auto square = [&](const char* name) {
    return register_module(name, std::make_shared<Linear>(LinearShape{.in = width, .out = width}));
  };
  q_proj = square("q_proj");
  k_proj = square("k_proj");
  v_proj = square("v_proj");
  proj = square("proj");
}

QueriesKeysValues SplitAttention::project(const at::Tensor& x) {
  return {project_queries(x), project_context(x)};
}

at::Tensor SplitAttention::project_queries(const at::Tensor& x) {
  return split_heads(q_proj->forward(x), 1)[0];
}

KeysValues SplitAttention::project_context(const at::Tensor& x) {
  return {split_heads(k_proj->forward(x), 1)[0], split_heads(v_proj->forward(x), 1)[0]};
}

AttentionWeights SplitAttention::effective_weights() const {
  return {at::cat({q_proj->effective_weight(), k_proj->effective_weight(), v_proj->effective_weight()}),
          at::cat({q_proj->bias, k_proj->bias, v_proj->bias}), proj->effective_weight(), proj->bias};
}

void SplitAttention::replace_projection(const std::string& name, std::shared_ptr<Linear> layer) {
  const auto shape = layer->shape();
  VLREID_ASSERT(shape.in == width() && shape.out == width());
  replace_module(name, layer);
  for (auto [known, member] :
       {std::pair{"q_proj", &q_proj}, {"k_proj", &k_proj}, {"v_proj", &v_proj}, {"proj", &proj}})
    if (name == known) *member = layer;
}

void copy_split(const PackedAttention& packed, SplitAttention& parts) {
  const c10::NoGradGuard no_grad;
  const std::array<Linear*, 3> inputs = {parts.q_proj.get(), parts.k_proj.get(), parts.v_proj.get()};
  for (std::int64_t part = 0; part < 3; ++part) {
    inputs[part]->weight.copy_(
        packed.in_proj_weight.slice(0, part * packed.width(), (part + 1) * packed.width()));
    inputs[part]->bias.copy_(
        packed.in_proj_bias.slice(0, part * packed.width(), (part + 1) * packed.width()));
  }
  parts.proj->weight.copy_(packed.out_proj->weight);
  parts.proj->bias.copy_(packed.out_proj->bias);
}

} // namespace vlreid
