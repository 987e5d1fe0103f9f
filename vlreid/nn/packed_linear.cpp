#include "vlreid/base/error.h"
#include "vlreid/nn/packed.h"
#include "vlreid/nn/pooled_product.h"
#include "vlreid/nn/product_type.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>

namespace vlreid {

struct PackedLinear::State {
  at::Tensor weight; // [out, in] on other devices
  Panels panels;     // the same on a CPU
  at::Tensor bias;   // [out] or undefined

  at::Tensor on_cpu(const at::Tensor& given) const {
    const at::Tensor x = given.to(at::kFloat).contiguous();
    at::Tensor out = at::empty({x.size(0), panels.rows()}, x.options());
    multiply_on_pool({x.const_data_ptr<float>(), x.size(0)}, panels,
                     {.bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr},
                     {out.mutable_data_ptr<float>(), panels.rows()});
    return out;
  }

  at::Tensor elsewhere(const at::Tensor& x) const {
    return bias.defined() ? at::addmm(bias, x, weight.t()) : at::mm(x, weight.t());
  }
};

PackedLinear::PackedLinear(const at::Tensor& weight, const at::Tensor& bias, InferenceType type) {
  const c10::NoGradGuard no_grad;
  const auto state = std::make_shared<State>();
  const bool is_on_cpu = weight.device().is_cpu();
  if (is_on_cpu) {
    const at::Tensor rows = weight.detach().to(at::kFloat).contiguous();
    state->panels =
        pack_on_pool({rows.const_data_ptr<float>(), rows.size(0)}, rows.size(1), product_type_of(type));
  } else {
    state->weight = weight.detach().to(type.type, false, /*copy=*/true);
  }
  if (bias.defined())
    state->bias = bias.detach().to(is_on_cpu ? at::kFloat : type.type, false, /*copy=*/true);
  state_ = state;
}

at::Tensor PackedLinear::forward(const at::Tensor& x) const {
  return x.device().is_cpu() ? state_->on_cpu(x) : state_->elsewhere(x);
}

} // namespace vlreid
