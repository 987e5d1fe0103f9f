#include "vlreid/base/error.h"
#include "vlreid/nn/packed.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/quantized/PackedParams.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/quantize_per_channel.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <mutex>

namespace vlreid {
namespace {

using MklLinear = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                             const std::optional<at::Tensor>&, std::int64_t);
using MklReorder = at::Tensor(const at::Tensor&, std::int64_t);
using Int8Prepack = c10::intrusive_ptr<LinearPackedParamsBase>(at::Tensor, std::optional<at::Tensor>);

// Operators outside ATen's headers; not every build of LibTorch has them.
template <typename Signature>
std::optional<c10::TypedOperatorHandle<Signature>> find_operator(const char* name) {
  const auto found = c10::Dispatcher::singleton().findSchema({name, ""});
  if (!found) return std::nullopt;
  return found->typed<Signature>();
}

// MKL's packed form is made for one number of rows; below this many the plain product is as good.
constexpr std::int64_t kRowsWorthPacking = 256;

// Largest magnitude of the 8-bit weights: -127..127 on a scale per output channel.
constexpr double kInt8Levels = 127;

c10::intrusive_ptr<LinearPackedParamsBase> pack_int8(const at::Tensor& weight, const at::Tensor& bias) {
  const auto prepack = find_operator<Int8Prepack>("quantized::linear_prepack");
  VLREID_REQUIRE(prepack.has_value() && weight.device().is_cpu(), ErrorKind::config, "int8",
                 "no 8-bit products on this device or in this build of LibTorch", "a CPU", "use f32 or bf16");
  const at::Tensor scales = (weight.abs().amax(1) / kInt8Levels).clamp_min(1e-12).to(at::kDouble);
  const at::Tensor quantised =
      at::quantize_per_channel(weight, scales, at::zeros({weight.size(0)}, at::kLong), 0, at::kQInt8);
  std::optional<at::Tensor> added;
  if (bias.defined()) added = bias;
  return prepack->call(quantised, added);
}

} // namespace

struct PackedLinear::State {
  at::Tensor weight; // [out, in], undefined with int8
  at::Tensor bias;   // [out] or undefined
  c10::intrusive_ptr<LinearPackedParamsBase> int8;

  // MKL's form for `packed_rows` rows, made at the first large enough call.
  std::once_flag once;
  at::Tensor packed;
  std::int64_t packed_rows = 0;

  at::Tensor plain(const at::Tensor& x) const {
    return bias.defined() ? at::addmm(bias, x, weight.t()) : at::mm(x, weight.t());
  }

  at::Tensor with_mkl(const at::Tensor& x) {
    static const auto linear = find_operator<MklLinear>("mkl::_mkl_linear");
    static const auto reorder = find_operator<MklReorder>("mkl::_mkl_reorder_linear_weight");
    if (!linear || !reorder || x.size(0) < kRowsWorthPacking) return plain(x);
    std::call_once(once, [&] {
      packed = reorder->call(weight, x.size(0));
      packed_rows = x.size(0);
    });
    if (x.size(0) != packed_rows) return plain(x);
    std::optional<at::Tensor> added;
    if (bias.defined()) added = bias;
    return linear->call(x, packed, weight, added, packed_rows);
  }
};

PackedLinear::PackedLinear(const at::Tensor& weight, const at::Tensor& bias, InferenceType type)
    : state_(std::make_shared<State>()) {
  const c10::NoGradGuard no_grad;
  const auto own = [](const at::Tensor& x) {
    return x.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  };
  if (type.is_int8) {
    state_->int8 = pack_int8(own(weight), bias.defined() ? own(bias) : bias);
    return;
  }
  state_->weight = own(weight).to(type.type);
  if (bias.defined()) state_->bias = own(bias).to(type.type);
}

at::Tensor PackedLinear::forward(const at::Tensor& x) const {
  // Seven-bit activations: on processors without VNNI the sum of two 8-bit products could saturate.
  if (state_->int8) return state_->int8->apply_dynamic(x.contiguous(), /*reduce_range=*/true);
  const bool is_for_mkl = x.device().is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
  return is_for_mkl ? state_->with_mkl(x) : state_->plain(x);
}

} // namespace vlreid
