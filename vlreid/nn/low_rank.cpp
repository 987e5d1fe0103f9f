#include "vlreid/nn/low_rank.h"

#include "vlreid/base/error.h"
#include "vlreid/nn/block_ops.h"
#include "vlreid/nn/learning_products.h"
#include "vlreid/nn/normed.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

namespace vlreid {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Variables of the operator: x, the norm's weight and bias, then these of each layer.
constexpr std::size_t kShared = 3, kEach = 4;
enum Variable : std::size_t { kWeight, kBias, kA, kB };

// What is no variable.
struct Correction {
  double scale;
  DropoutKey dropout;
};

// The operator takes no undefined variables.
at::Tensor or_empty(const at::Tensor& x) {
  return x.defined() ? x : at::empty({0});
}

bool is_given(const at::Tensor& variable) {
  return variable.numel() > 0;
}

at::Tensor dropped(const at::Tensor& rows, const DropoutKey& key) {
  return key.probability > 0 ? keyed_dropout(rows, key) : rows;
}

class LowRankLinear : public torch::autograd::Function<LowRankLinear> {
public:
  static at::Tensor forward(AutogradContext* context, at::TensorList variables,
                            const std::vector<Correction>& corrections) {
    const at::Tensor& x = variables[0];
    const at::ScalarType type = product_type(x);
    const c10::impl::ExcludeDispatchKeyGuard as_written(c10::autocast_dispatch_keyset);
    const Normed input = normalised(x, {variables[1], variables[2]}, type);
    const at::Tensor rows = as_rows(input.value);
    variable_list kept(variables.begin(), variables.end());
    kept.insert(kept.end(), {input.mean, input.deviation});

    std::int64_t width = 0;
    for (std::size_t i = 0; i < corrections.size(); ++i)
      width += variables[at_layer(i, kWeight)].size(0);
    at::Tensor out = at::empty({rows.size(0), width}, rows.options());
    std::int64_t from = 0;
    for (std::size_t i = 0; i < corrections.size(); ++i) {
      const at::Tensor &weight = variables[at_layer(i, kWeight)], &a = variables[at_layer(i, kA)];
      at::Tensor of_layer = out.narrow(1, from, weight.size(0)), inner; // inner [M, R]
      WeightProduct::forward(weight, variables[at_layer(i, kBias)], rows.size(0), type).into(of_layer, rows);
      if (is_given(a)) {
        inner = at::mm(dropped(rows, corrections[i].dropout), a.to(type).t());
        of_layer.addmm_(inner, variables[at_layer(i, kB)].to(type).t(), /*beta=*/1, corrections[i].scale);
      }
      kept.push_back(inner);
      from += weight.size(0);
    }
    context->save_for_backward(kept);
    keep(context, corrections, type);
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.back() = width;
    return out.view(sizes);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    const std::vector<Correction> corrections = kept_corrections(context);
    const std::size_t count = kShared + kEach * corrections.size();
    const at::Tensor& x = saved[0];
    const NormParameters norm{saved[1], saved[2]};
    const Normed input = normalised(x, norm, type);
    const at::Tensor rows = as_rows(input.value);
    const at::Tensor gradient = as_rows(gradients[0]).to(type);
    const bool wants_rows =
        context->needs_input_grad(0) || context->needs_input_grad(1) || context->needs_input_grad(2);

    variable_list result(count + 1);
    at::Tensor of_rows; // [M, in]
    std::int64_t from = 0;
    for (std::size_t i = 0; i < corrections.size(); ++i) {
      const std::size_t first = at_layer(i, kWeight);
      const at::Tensor &weight = saved[first], &a = saved[first + kA], &b = saved[first + kB];
      const at::Tensor given = gradient.narrow(1, from, weight.size(0));
      from += weight.size(0);
      if (wants_rows) {
        const at::Tensor through = WeightProduct::backward(weight, given.size(0), type).of(given);
        of_rows = of_rows.defined() ? of_rows.add_(through) : through;
      }
      if (context->needs_input_grad(first + kWeight)) {
        at::Tensor& of_weight = result[first + kWeight];
        add_transposed_product(of_weight, given, rows, type);
        of_weight = of_weight.to(weight.scalar_type());
      }
      if (context->needs_input_grad(first + kBias))
        result[first + kBias] = given.sum({0}, /*keepdim=*/false, at::kFloat);
      if (!is_given(a)) continue;
      const auto& [scale, dropout] = corrections[i];
      const at::Tensor of_inner = at::mm(given, b.to(type)).mul_(scale); // [M, R]
      if (wants_rows) of_rows.add_(dropped(at::mm(of_inner, a.to(type)), dropout));
      if (context->needs_input_grad(first + kA))
        result[first + kA] = at::mm(of_inner.t(), dropped(rows, dropout)).to(a.scalar_type());
      if (context->needs_input_grad(first + kB))
        result[first + kB] = at::mm(given.t(), saved[count + 2 + i]).mul_(scale).to(b.scalar_type());
    }
    if (!wants_rows) return result;
    if (!is_given(norm.weight)) {
      result[0] = of_rows.view(x.sizes()).to(x.scalar_type());
      return result;
    }
    const auto of_norm = norm_backward(
        of_rows, x, input, norm,
        {context->needs_input_grad(0), context->needs_input_grad(1), context->needs_input_grad(2)});
    std::ranges::copy(of_norm, result.begin());
    if (result[0].defined()) result[0] = result[0].to(x.scalar_type());
    return result;
  }

private:
  static std::size_t at_layer(std::size_t layer, Variable what) { return kShared + kEach * layer + what; }

  static Normed normalised(const at::Tensor& x, const NormParameters& norm, at::ScalarType type) {
    if (is_given(norm.weight)) return normed(x, norm, type);
    return {.value = x.to(type), .mean = {}, .deviation = {}};
  }

  static void keep(AutogradContext* context, const std::vector<Correction>& corrections,
                   at::ScalarType type) {
    std::vector<double> scales, probabilities;
    std::vector<std::int64_t> seeds;
    for (const auto& [scale, dropout] : corrections) {
      scales.push_back(scale);
      probabilities.push_back(dropout.probability);
      seeds.push_back(static_cast<std::int64_t>(dropout.seed));
    }
    context->saved_data["type"] = static_cast<std::int64_t>(type);
    context->saved_data["scales"] = scales;
    context->saved_data["probabilities"] = probabilities;
    context->saved_data["seeds"] = seeds;
  }

  static std::vector<Correction> kept_corrections(AutogradContext* context) {
    const std::vector<double> scales = context->saved_data["scales"].toDoubleVector();
    const std::vector<double> probabilities = context->saved_data["probabilities"].toDoubleVector();
    const std::vector<std::int64_t> seeds = context->saved_data["seeds"].toIntVector();
    std::vector<Correction> corrections;
    for (std::size_t i = 0; i < scales.size(); ++i)
      corrections.push_back(
          {.scale = scales[i],
           .dropout = {.seed = static_cast<std::uint64_t>(seeds[i]), .probability = probabilities[i]}});
    return corrections;
  }
};

} // namespace

at::Tensor low_rank_linear(const at::Tensor& x, const LayerNorm* norm, std::span<const LowRankLayer> layers) {
  VLREID_ASSERT(x.device().is_cpu() && !layers.empty());
  const NormParameters given = norm != nullptr ? NormParameters{norm->weight, norm->bias} : NormParameters{};
  variable_list variables = {x, or_empty(given.weight), or_empty(given.bias)};
  std::vector<Correction> corrections;
  for (const LowRankLayer& layer : layers) {
    variables.insert(variables.end(), {layer.weight, layer.bias, or_empty(layer.a), or_empty(layer.b)});
    corrections.push_back({.scale = layer.scale, .dropout = layer.dropout});
  }
  return LowRankLinear::apply(at::TensorList(variables), corrections);
}

} // namespace vlreid
