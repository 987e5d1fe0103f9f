#include "vlreid/nn/block_ops.h"

#include "vlreid/base/error.h"
#include "vlreid/nn/fused.h"
#include "vlreid/nn/head_attention.h"
#include "vlreid/nn/learning_products.h"
#include "vlreid/nn/normed.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/custom_function.h>

namespace vlreid {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using NoAutocast = c10::impl::ExcludeDispatchKeyGuard;

// Rows that go through the MLP at once on a CPU: [2064, 4D] of ViT-B takes 25 MB, which the allocator keeps
// and the last cache mostly holds.
constexpr std::int64_t kRowsAtOnce = 2064;

std::int64_t rows_at_once(const at::Tensor& x) {
  return x.device().is_cpu() ? kRowsAtOnce : x.numel() / x.size(-1);
}

at::Tensor column_sums(const at::Tensor& x) {
  return x.sum({0}, /*keepdim=*/false, at::kFloat);
}

void widen(at::Tensor& gradient, const at::Tensor& parameter) {
  if (gradient.defined()) gradient = gradient.to(parameter.scalar_type());
}

std::array<bool, 3> wanted_of_norm(AutogradContext* context) {
  return {context->needs_input_grad(0), context->needs_input_grad(1), context->needs_input_grad(2)};
}

bool any(const std::array<bool, 3>& flags) {
  return flags[0] || flags[1] || flags[2];
}

class NormLinear : public torch::autograd::Function<NormLinear> {
public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& norm_weight,
                            const at::Tensor& norm_bias, const at::Tensor& weight, const at::Tensor& bias) {
    const at::ScalarType type = product_type(x);
    const NoAutocast as_written(c10::autocast_dispatch_keyset);
    const Normed n = normed(x, {norm_weight, norm_bias}, type);
    context->save_for_backward({x, norm_weight, norm_bias, weight, n.mean, n.deviation});
    const at::Tensor rows = as_rows(n.value);
    const auto product = WeightProduct::forward(weight, bias, rows.size(0), type);
    return product.of(rows).unflatten(0, x.sizes().slice(0, x.dim() - 1));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[3];
    const NormParameters norm{saved[1], saved[2]};
    Normed n{.value = {}, .mean = saved[4], .deviation = saved[5]};
    const at::Tensor gradient = as_rows(gradients[0]);
    const at::ScalarType type = gradient.scalar_type();
    variable_list result(5);
    if (context->needs_input_grad(4)) result[4] = column_sums(gradient);
    if (context->needs_input_grad(3)) {
      n.value = normed(x, norm, type).value;
      add_transposed_product(result[3], gradient, as_rows(n.value), type);
      widen(result[3], weight);
      n.value.reset();
    }
    const std::array<bool, 3> wanted = wanted_of_norm(context);
    if (!any(wanted)) return result;
    at::Tensor of_narrow = at::empty({gradient.size(0), weight.size(1)}, x.options()); // [M, D]
    WeightProduct::backward(weight, gradient.size(0), type).into(of_narrow, gradient);
    std::ranges::copy(norm_backward(of_narrow, x, n, norm, wanted), result.begin());
    if (wanted[0]) result[0] = result[0].to(x.scalar_type());
    return result;
  }
};

// Views [B, h, N, d] of queries, keys and values.
std::array<at::Tensor, 3> parts_of(const at::Tensor& packed, std::int64_t heads) {
  const at::Tensor parts =
      packed.view({packed.size(0), packed.size(1), 3, heads, -1}).permute({2, 0, 3, 1, 4});
  return {parts[0], parts[1], parts[2]};
}

// No variable of the graph: not differentiated.
struct Mask {
  at::Tensor value; // or undefined

  std::optional<at::Tensor> as(at::ScalarType type) const {
    return value.defined() ? std::optional(value.to(type).contiguous()) : std::nullopt;
  }
};

class AttendPacked : public torch::autograd::Function<AttendPacked> {
public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& packed, std::int64_t heads,
                            const Mask& mask) {
    context->saved_data["heads"] = heads;
    if (has_head_attention(packed)) {
      const at::Tensor added = mask.as(at::kFloat).value_or(at::Tensor());
      context->save_for_backward({packed, {}, {}, added});
      return head_attention(packed, heads, added);
    }
    const auto [queries, keys, values] = parts_of(packed, heads);
    const auto [out, log_sums] = at::_scaled_dot_product_flash_attention_for_cpu(
        queries, keys, values, /*dropout_p=*/0, /*is_causal=*/false, mask.as(packed.scalar_type()));
    context->save_for_backward({packed, out, log_sums, mask.value});
    return out.transpose(1, 2).flatten(2); // [B, h, N, d] -> [B, N, D]
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& packed = saved[0];
    const std::int64_t heads = context->saved_data["heads"].toInt();
    if (has_head_attention(packed))
      return {head_attention_backward(gradients[0], packed, heads, saved[3]), {}, {}};
    const auto [queries, keys, values] = parts_of(packed, heads);
    const at::Tensor gradient = gradients[0].unflatten(2, {heads, -1}).transpose(1, 2);
    const auto [of_queries, of_keys, of_values] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        gradient, queries, keys, values, saved[1], saved[2], /*dropout_p=*/0, /*is_causal=*/false,
        Mask{saved[3]}.as(packed.scalar_type()));
    const at::Tensor of_packed =
        at::stack({of_queries.transpose(1, 2), of_keys.transpose(1, 2), of_values.transpose(1, 2)}, 2);
    return {of_packed.view(packed.sizes()), {}, {}};
  }
};

class AddLinear : public torch::autograd::Function<AddLinear> {
public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& y,
                            const at::Tensor& weight, const at::Tensor& bias) {
    const at::ScalarType type = product_type(x);
    const NoAutocast as_written(c10::autocast_dispatch_keyset);
    const at::Tensor narrow = y.to(type);
    context->save_for_backward({weight.requires_grad() ? narrow : at::Tensor(), weight});
    context->saved_data["type"] = static_cast<std::int64_t>(type);
    at::Tensor out = as_rows(x).clone(at::MemoryFormat::Contiguous);
    WeightProduct::forward(weight, bias, out.size(0), type).add_to(out, as_rows(narrow));
    return out.view(x.sizes());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &y = saved[0], &weight = saved[1];
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    const at::Tensor gradient = as_rows(gradients[0]).to(type);
    variable_list result(4);
    if (context->needs_input_grad(0)) result[0] = gradients[0];
    if (context->needs_input_grad(1))
      result[1] = WeightProduct::backward(weight, gradient.size(0), type)
                      .of(gradient)
                      .unflatten(0, gradients[0].sizes().slice(0, gradients[0].dim() - 1));
    if (context->needs_input_grad(2)) {
      add_transposed_product(result[2], gradient, as_rows(y), type);
      widen(result[2], weight);
    }
    if (context->needs_input_grad(3)) result[3] = column_sums(gradient);
    return result;
  }
};

class AddMlp : public torch::autograd::Function<AddMlp> {
public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& norm_weight,
                            const at::Tensor& norm_bias, const at::Tensor& fc_weight,
                            const at::Tensor& fc_bias, const at::Tensor& proj_weight,
                            const at::Tensor& proj_bias, bool keeps_hidden) {
    const at::ScalarType type = product_type(x);
    const NoAutocast as_written(c10::autocast_dispatch_keyset);
    const Normed n = normed(x, {norm_weight, norm_bias}, type);
    const at::Tensor narrow = as_rows(n.value), rows = as_rows(x);
    const std::int64_t count = narrow.size(0), part = rows_at_once(narrow), width = fc_weight.size(0);
    const auto fc = WeightProduct::forward(fc_weight, fc_bias, count, type);
    const auto proj = WeightProduct::forward(proj_weight, proj_bias, count, type);
    at::Tensor hidden, out = rows.clone(at::MemoryFormat::Contiguous);
    if (keeps_hidden) hidden = at::empty({count, width}, narrow.options());
    for (std::int64_t i = 0; i < count; i += part) {
      const std::int64_t end = std::min(count, i + part);
      at::Tensor wide =
          keeps_hidden ? hidden.slice(0, i, end) : at::empty({end - i, width}, narrow.options());
      at::Tensor of_part = out.slice(0, i, end);
      proj.add_to(of_part, fc.activated(narrow.slice(0, i, end), wide));
    }
    context->save_for_backward(
        {x, norm_weight, norm_bias, fc_weight, fc_bias, proj_weight, n.mean, n.deviation, hidden});
    context->saved_data["type"] = static_cast<std::int64_t>(type);
    return out.view(x.sizes());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &hidden = saved[8];
    const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
    const at::Tensor& fc_weight = saved[3];
    const NormParameters norm{saved[1], saved[2]};
    Normed n{.value = {}, .mean = saved[6], .deviation = saved[7]};
    const bool wants_fc = context->needs_input_grad(3), wants_proj = context->needs_input_grad(5);
    if (wants_fc || !hidden.defined()) n.value = as_rows(normed(x, norm, type).value);

    const at::Tensor gradient = as_rows(gradients[0]);
    const std::int64_t count = gradient.size(0), part = rows_at_once(gradient);
    std::optional<WeightProduct> fc; // to make the hidden layer again
    if (!hidden.defined()) fc = WeightProduct::forward(fc_weight, saved[4], count, type);
    const auto back_through_fc = WeightProduct::backward(fc_weight, count, type);
    const auto back_through_proj = WeightProduct::backward(saved[5], count, type);
    at::Tensor of_narrow = at::empty({count, fc_weight.size(1)}, x.options());
    at::Tensor of_fc, of_fc_bias, of_proj;
    for (std::int64_t i = 0; i < count; i += part) {
      const std::int64_t end = std::min(count, i + part);
      const at::Tensor given = gradient.slice(0, i, end).to(type);
      const at::Tensor wide = hidden.defined() ? hidden.slice(0, i, end) : fc->of(n.value.slice(0, i, end));
      at::Tensor activation;
      const at::Tensor of_wide =
          back_through_proj.through_activation(given, wide, wants_proj ? &activation : nullptr);
      if (wants_proj) add_transposed_product(of_proj, given, activation, type);
      if (wants_fc) add_transposed_product(of_fc, of_wide, n.value.slice(0, i, end), type);
      if (context->needs_input_grad(4)) {
        const at::Tensor sums = column_sums(of_wide);
        of_fc_bias = of_fc_bias.defined() ? of_fc_bias + sums : sums;
      }
      at::Tensor of_part = of_narrow.slice(0, i, end);
      back_through_fc.into(of_part, of_wide);
    }
    n.value.reset();
    widen(of_fc, saved[3]);
    widen(of_proj, saved[5]);

    variable_list result(8);
    const std::array<bool, 3> wanted = wanted_of_norm(context);
    if (any(wanted)) std::ranges::copy(norm_backward(of_narrow, x, n, norm, wanted), result.begin());
    if (wanted[0]) result[0] = result[0].to(x.scalar_type()).add_(gradients[0]);
    result[3] = of_fc;
    result[4] = of_fc_bias;
    result[5] = of_proj;
    if (context->needs_input_grad(6)) result[6] = column_sums(gradient);
    return result;
  }
};

class QuickGelu : public torch::autograd::Function<QuickGelu> {
public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x) {
    context->save_for_backward({x});
    return quick_gelu_of(x);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    at::Tensor gradient = gradients[0].clone(at::MemoryFormat::Contiguous);
    quick_gelu_backward_(gradient, context->get_saved_variables()[0], /*wants_value=*/false);
    return {gradient};
  }
};

} // namespace

at::ScalarType product_type(const at::Tensor& x) {
  const at::DeviceType device = x.device().type();
  return at::autocast::is_autocast_enabled(device) ? at::autocast::get_autocast_dtype(device)
                                                   : x.scalar_type();
}

at::Tensor norm_linear(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& weight,
                       const at::Tensor& bias) {
  return NormLinear::apply(x, norm.weight, norm.bias, weight, bias);
}

at::Tensor attend_packed(const at::Tensor& packed, std::int64_t heads, const at::Tensor& mask) {
  VLREID_ASSERT(packed.device().is_cpu());
  return AttendPacked::apply(packed.contiguous(), heads, Mask{mask});
}

at::Tensor add_linear(const at::Tensor& x, const at::Tensor& y, const Linear& layer) {
  return AddLinear::apply(x, y, layer.weight, layer.bias);
}

at::Tensor add_mlp(const at::Tensor& x, const LayerNorm& norm, const Linear& fc, const Linear& proj,
                   bool keeps_hidden) {
  return AddMlp::apply(x, norm.weight, norm.bias, fc.weight, fc.bias, proj.weight, proj.bias, keeps_hidden);
}

at::Tensor quick_gelu(const at::Tensor& x) {
  return QuickGelu::apply(x.contiguous());
}

} // namespace vlreid
