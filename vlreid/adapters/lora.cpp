#include "vlreid/adapters/lora.h"

#include "vlreid/base/error.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/nn/block_ops.h"
#include "vlreid/nn/fused.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <cmath>
#include <torch/csrc/autograd/custom_function.h>

namespace vlreid {
namespace {

constexpr const char* kA = ".w_lora_A";

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::uint64_t drawn_seed() {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  const std::scoped_lock lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

// W x + b + scale * B A dropout(x) on a CPU. Keeps x and A dropout(x); makes dropout(x) again.
class AddLora : public torch::autograd::Function<AddLora> {
public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const at::Tensor& a, const at::Tensor& b, double scale,
                            DropoutKey key) {
    const at::ScalarType type = product_type(x);
    const c10::impl::ExcludeDispatchKeyGuard as_written(c10::autocast_dispatch_keyset);
    const at::Tensor rows = x.to(type).reshape({-1, x.size(-1)});
    const at::Tensor inner = at::mm(dropped(rows, key), a.to(type).t()); // [M, R]
    at::Tensor y = at::addmm(bias.to(type), rows, weight.to(type).t());
    y.addmm_(inner, b.to(type).t(), /*beta=*/1, scale);
    context->save_for_backward({x, weight, a, b, inner});
    context->saved_data["scale"] = scale;
    context->saved_data["seed"] = static_cast<std::int64_t>(key.seed);
    context->saved_data["probability"] = key.probability;
    return y.view(with_width(x, y.size(1)));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &a = saved[2], &b = saved[3], &inner = saved[4];
    const double scale = context->saved_data["scale"].toDouble();
    const DropoutKey key{.seed = static_cast<std::uint64_t>(context->saved_data["seed"].toInt()),
                         .probability = context->saved_data["probability"].toDouble()};
    const at::ScalarType type = inner.scalar_type();
    const at::Tensor gradient = gradients[0].reshape({-1, gradients[0].size(-1)}).to(type);
    const at::Tensor rows = x.to(type).reshape({-1, x.size(-1)});
    const at::Tensor of_inner = at::mm(gradient, b.to(type)).mul_(scale); // [M, R]
    variable_list result(7);
    if (context->needs_input_grad(0)) {
      at::Tensor of_x = at::mm(gradient, weight.to(type));
      of_x.add_(dropped(at::mm(of_inner, a.to(type)), key));
      result[0] = of_x.view(x.sizes()).to(x.scalar_type());
    }
    if (context->needs_input_grad(1)) result[1] = at::mm(gradient.t(), rows).to(weight.scalar_type());
    if (context->needs_input_grad(2)) result[2] = gradient.sum({0}, /*keepdim=*/false, at::kFloat);
    if (context->needs_input_grad(3))
      result[3] = at::mm(of_inner.t(), dropped(rows, key)).to(a.scalar_type());
    if (context->needs_input_grad(4)) result[4] = at::mm(gradient.t(), inner).mul_(scale).to(b.scalar_type());
    return result;
  }

private:
  static at::Tensor dropped(const at::Tensor& rows, DropoutKey key) {
    return key.probability > 0 ? keyed_dropout(rows, key) : rows;
  }
  static std::vector<std::int64_t> with_width(const at::Tensor& x, std::int64_t width) {
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.back() = width;
    return sizes;
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
  const auto parts = split(*packed);
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

at::Tensor LoraLinear::forward(const at::Tensor& x) {
  if (!is_training()) return at::linear(x, effective_weight(), bias);
  if (x.device().is_cpu() && bias.defined()) {
    const DropoutKey key{.seed = dropout_ > 0 ? drawn_seed() : 0, .probability = dropout_};
    return AddLora::apply(x, weight, bias, w_lora_A, w_lora_B, scale_, key);
  }
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
