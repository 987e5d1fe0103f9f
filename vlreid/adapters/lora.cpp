#include "vlreid/adapters/lora.h"

#include "vlreid/base/error.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/nn/block_ops.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <cmath>

namespace vlreid {
namespace {

constexpr const char* kA = ".w_lora_A";

std::uint64_t drawn_seed() {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  const std::scoped_lock lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

// Queries, keys and values in one pass over the block's input.
class LoraAttention : public SplitAttention {
public:
  using SplitAttention::SplitAttention;

  at::Tensor attend_all(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& mask) override {
    if (!keeps_only_input(x)) return SplitAttention::attend_all(x, norm, mask);
    const std::array<LowRankLayer, 3> layers = {low_rank(*q_proj), low_rank(*k_proj), low_rank(*v_proj)};
    return attend_packed(low_rank_linear(x, &norm, layers), heads(), mask);
  }

  KeysValues answers_of(const at::Tensor& x, const LayerNorm& norm) override {
    if (!keeps_only_input(x)) return SplitAttention::answers_of(x, norm);
    const std::array<LowRankLayer, 2> layers = {low_rank(*k_proj), low_rank(*v_proj)};
    const at::Tensor both = split_heads(low_rank_linear(x, &norm, layers), 2);
    return {both[0], both[1]};
  }

private:
  bool keeps_only_input(const at::Tensor& x) const { return is_training() && x.device().is_cpu(); }

  static LowRankLayer low_rank(const Linear& layer) {
    if (const auto* lora = dynamic_cast<const LoraLinear*>(&layer)) return lora->drawn();
    return {.weight = layer.weight, .bias = layer.bias, .a = {}, .b = {}};
  }
};

// The layer named `name` below a block with LoRA added, or the plain one where the file has none.
std::shared_ptr<Linear> adapted(const std::shared_ptr<Linear>& plain, const StateDict& block,
                                const std::string& name, const AdapterOptions& options) {
  const at::Tensor* a = block.find(name + kA);
  if (a == nullptr || a->dim() != 2) return plain;
  auto layer = std::make_shared<LoraLinear>(plain->shape(), a->size(0), options);
  const c10::NoGradGuard no_grad;
  layer->weight.copy_(plain->weight);
  layer->bias.copy_(plain->bias);
  return layer;
}

void adapt_attention(ResidualBlock& block, const StateDict& state, const AdapterOptions& options) {
  if (!state.has("attn.q_proj.weight")) return;
  const auto* packed = dynamic_cast<const PackedAttention*>(block.attn.get());
  VLREID_ASSERT(packed != nullptr);
  const auto parts = std::make_shared<LoraAttention>(packed->width(), packed->heads());
  copy_split(*packed, *parts);
  for (auto [name, layer] : {std::pair{"q_proj", parts->q_proj},
                             {"k_proj", parts->k_proj},
                             {"v_proj", parts->v_proj},
                             {"proj", parts->proj}})
    parts->replace_projection(name, adapted(layer, state, std::string("attn.") + name, options));
  block.replace_attention(parts);
}

bool has_lora(const StateDict& state) {
  for (const auto& [name, tensor] : state)
    if (name.ends_with(kA)) return true;
  return false;
}

void require_alpha(const StateDict& state, const AdapterOptions& options, const std::string& place) {
  VLREID_REQUIRE(options.alpha.has_value() || !has_lora(state), ErrorKind::config, place,
                 "LoRA weights, and their alpha is not known", "alpha, which is not part of a checkpoint",
                 "give the configuration that trained it, with its key alpha");
}

} // namespace

LoraLinear::LoraLinear(LinearShape shape, std::int64_t rank, const AdapterOptions& options)
    : Linear(shape), scale_(options.alpha.value_or(0) / std::sqrt(static_cast<double>(rank))),
      dropout_(options.dropout) {
  VLREID_REQUIRE(rank > 0, ErrorKind::data, "w_lora_A", "a rank of 0", "at least 1");
  w_lora_A = register_parameter("w_lora_A", at::zeros({rank, shape.in}));
  w_lora_B = register_parameter("w_lora_B", at::zeros({shape.out, rank}));
}

at::Tensor LoraLinear::effective_weight() const {
  return scale_ == 0 ? weight : weight + scale_ * at::matmul(w_lora_B, w_lora_A);
}

LowRankLayer LoraLinear::drawn() const {
  return {.weight = weight,
          .bias = bias,
          .a = w_lora_A,
          .b = w_lora_B,
          .scale = scale_,
          .dropout = {.seed = dropout_ > 0 ? drawn_seed() : 0, .probability = dropout_}};
}

at::Tensor LoraLinear::forward(const at::Tensor& x) {
  if (!is_training()) return at::linear(x, effective_weight(), bias);
  if (x.device().is_cpu() && bias.defined()) return low_rank_linear(x, nullptr, std::array{drawn()});
  const at::Tensor dropped = dropout_ > 0 ? at::dropout(x, dropout_, /*train=*/true) : x;
  return at::linear(x, weight, bias) + scale_ * at::linear(at::linear(dropped, w_lora_A), w_lora_B);
}

bool apply_lora(Transformer& transformer, const StateDict& state, const AdapterOptions& options,
                const std::string& place) {
  require_alpha(state, options, place);
  bool found = false;
  for (std::int64_t i = 0; i < transformer.depth(); ++i) {
    const StateDict below = state.below("resblocks." + std::to_string(i) + ".");
    found = found || below.has("attn.q_proj.weight") || has_lora(below);
    ResidualBlock& block = transformer.block(i);
    adapt_attention(block, below, options);
    for (const char* name : {"c_fc", "c_proj"}) {
      const std::shared_ptr<Linear> plain = std::string(name) == "c_fc" ? block.mlp->c_fc : block.mlp->c_proj;
      block.mlp->replace_layer(name, adapted(plain, below, std::string("mlp.") + name, options));
    }
  }
  return found;
}

void unmerge_lora(Transformer& transformer) {
  const c10::NoGradGuard no_grad;
  for (const auto& module : transformer.modules(/*include_self=*/false))
    if (auto* layer = dynamic_cast<LoraLinear*>(module.get()))
      layer->weight.sub_(layer->scale() * at::matmul(layer->w_lora_B, layer->w_lora_A));
}

} // namespace vlreid
