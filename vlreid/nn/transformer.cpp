#include "vlreid/nn/transformer.h"

#include "vlreid/base/error.h"
#include "vlreid/nn/block_ops.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

namespace vlreid {

Mlp::Mlp(std::int64_t width) {
  c_fc = register_module("c_fc", std::make_shared<Linear>(LinearShape{.in = width, .out = 4 * width}));
  c_proj = register_module("c_proj", std::make_shared<Linear>(LinearShape{.in = 4 * width, .out = width}));
}

at::Tensor Mlp::add_to(const at::Tensor& x, const LayerNorm& norm, bool keeps_hidden) {
  if (c_fc->is_plain() && c_proj->is_plain()) return add_mlp(x, norm, *c_fc, *c_proj, keeps_hidden);
  return x + c_proj->forward(quick_gelu(c_fc->forward(norm.forward(x))));
}

void Mlp::replace_layer(const std::string& name, std::shared_ptr<Linear> layer) {
  replace_module(name, layer);
  (name == "c_fc" ? c_fc : c_proj) = std::move(layer);
}

ResidualBlock::ResidualBlock(const TransformerShape& shape, bool has_prompt) {
  if (has_prompt)
    VPT_shallow = register_parameter("VPT_shallow", at::zeros({shape.visual_prompts, shape.width}));
  attn = register_module("attn", std::make_shared<PackedAttention>(shape.width, shape.heads));
  ln_1 = register_module("ln_1", std::make_shared<LayerNorm>(shape.width));
  mlp = register_module("mlp", std::make_shared<Mlp>(shape.width));
  ln_2 = register_module("ln_2", std::make_shared<LayerNorm>(shape.width));
}

at::Tensor ResidualBlock::forward(const at::Tensor& x, const at::Tensor& mask) {
  const auto whole = [this, mask](const std::vector<at::Tensor>& inputs) -> std::vector<at::Tensor> {
    return {finish(inputs[0], attn->attend_all(inputs[0], *ln_1, mask))};
  };
  return run(whole, {x})[0];
}

KeysValues ResidualBlock::keys_values(const at::Tensor& x) {
  const auto context = [this](const std::vector<at::Tensor>& inputs) -> std::vector<at::Tensor> {
    const KeysValues made = attn->answers_of(inputs[0], *ln_1);
    return {made.keys, made.values};
  };
  const std::vector<at::Tensor> made = run(context, {x});
  return {made[0], made[1]};
}

at::Tensor ResidualBlock::attend_to(const at::Tensor& x, const KeysValues& context, const at::Tensor& mask) {
  const auto part = [this, mask](const std::vector<at::Tensor>& inputs) -> std::vector<at::Tensor> {
    const at::Tensor queries = attn->project_queries(ln_1->forward(inputs[0]));
    return {finish(inputs[0], attend(queries, {inputs[1], inputs[2]}, mask))};
  };
  return run(part, {x, context.keys, context.values})[0];
}

std::vector<at::Tensor> ResidualBlock::run(const Recomputable& function,
                                           std::vector<at::Tensor> inputs) const {
  return recompute_ == Recompute::blocks ? recomputed(function, std::move(inputs)) : function(inputs);
}

at::Tensor ResidualBlock::finish(const at::Tensor& x, const at::Tensor& attended) {
  Linear& output = attn->output();
  const at::Tensor y = output.is_plain() ? add_linear(x, attended, output) : x + output.forward(attended);
  return mlp->add_to(y, *ln_2, recompute_ != Recompute::hidden);
}

void ResidualBlock::replace_attention(std::shared_ptr<Attention> attention) {
  replace_module("attn", attention);
  attn = std::move(attention);
}

Transformer::Transformer(const TransformerShape& shape) : shape_(shape) {
  const auto list = register_module("resblocks", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    const bool has_prompt = shape.visual_prompts > 0 && i > 0;
    blocks_.push_back(
        list->register_module(std::to_string(i), std::make_shared<ResidualBlock>(shape, has_prompt)));
  }
}

void Transformer::set_recompute(Recompute what) {
  for (const auto& block : blocks_)
    block->set_recompute(what);
}

at::Tensor with_tokens_replaced(const at::Tensor& x, std::int64_t at, const at::Tensor& tokens) {
  const std::int64_t count = tokens.size(-2);
  VLREID_ASSERT(at >= 0 && at + count <= x.size(1));
  const at::Tensor middle = tokens.to(x.scalar_type()).expand({x.size(0), count, x.size(2)});
  return at::cat({x.slice(1, 0, at), middle, x.slice(1, at + count)}, 1);
}

} // namespace vlreid
