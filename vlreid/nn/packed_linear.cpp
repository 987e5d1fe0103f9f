#include "vlreid/base/error.h"
#include "vlreid/nn/packed.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <mutex>

namespace vlreid {
namespace {

// Operators outside ATen's headers: not every build of LibTorch has them, and their C++ signatures change, so
// they are called boxed.
class NamedOperator {
public:
  explicit NamedOperator(const char* name) : operator_(c10::Dispatcher::singleton().findSchema({name, ""})) {}

  bool exists() const { return operator_.has_value(); }

  template <typename... Arguments>
  at::Tensor call(Arguments&&... arguments) const {
    std::vector<c10::IValue> stack{c10::IValue(std::forward<Arguments>(arguments))...};
    operator_->callBoxed(stack);
    return stack.front().toTensor();
  }

private:
  std::optional<c10::OperatorHandle> operator_;
};

c10::IValue optional_value(const at::Tensor& x) {
  return x.defined() ? c10::IValue(x) : c10::IValue();
}

// MKL's packed form is made for one number of rows; below this many the plain product is as good.
constexpr std::int64_t kRowsWorthPacking = 256;

constexpr int kWeightLevels = 127; // 8-bit weights lie in -127..127, on a scale per output channel

// Without VNNI a processor adds two products of bytes in 16 bits: seven-bit activations keep that from
// saturating.
int activation_half_range() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512vnni") ? 127 : 63;
#else
  return 63;
#endif
}

struct Int8Weights {
  at::Tensor packed; // [out, in] int8 in oneDNN's form
  at::Tensor scales; // [out] float32
  at::Tensor zeros;  // [out] int32

  explicit Int8Weights(const at::Tensor& weight) {
    const NamedOperator prepack("onednn::qlinear_prepack");
    VLREID_REQUIRE(prepack.exists() && weight.device().is_cpu(), ErrorKind::config, "int8",
                   "no 8-bit products on this device or in this build of LibTorch", "a CPU",
                   "use f32 or bf16");
    scales = (weight.abs().amax(1) / kWeightLevels).clamp_min(1e-12);
    zeros = at::zeros({weight.size(0)}, at::kInt);
    packed = prepack.call((weight / scales.unsqueeze(1)).round().to(at::kChar), c10::IValue());
  }

  at::Tensor multiply(const at::Tensor& x, const at::Tensor& bias) const {
    static const NamedOperator linear("onednn::qlinear_pointwise");
    static const int half_range = activation_half_range();
    const QuantisedRows rows = quantise_rows(x, half_range);
    const at::Tensor y =
        linear.call(rows.values, 1.0, std::int64_t{half_range} + 1, packed, scales, zeros, c10::IValue(), 1.0,
                    std::int64_t{0}, at::kFloat, "none", c10::List<std::optional<at::Scalar>>(), "");
    y.mul_(rows.scales);
    return bias.defined() ? y.add_(bias) : y;
  }
};

} // namespace

struct PackedLinear::State {
  at::Tensor weight; // [out, in], undefined with int8
  at::Tensor bias;   // [out] or undefined
  std::optional<Int8Weights> int8;

  // MKL's form for `packed_rows` rows, made at the first large enough call.
  std::once_flag once;
  at::Tensor packed;
  std::int64_t packed_rows = 0;

  at::Tensor plain(const at::Tensor& x) const {
    return bias.defined() ? at::addmm(bias, x, weight.t()) : at::mm(x, weight.t());
  }

  at::Tensor with_mkl(const at::Tensor& x) {
    static const NamedOperator linear("mkl::_mkl_linear"), reorder("mkl::_mkl_reorder_linear_weight");
    if (!linear.exists() || !reorder.exists() || x.size(0) < kRowsWorthPacking) return plain(x);
    std::call_once(once, [&] {
      packed = reorder.call(weight, x.size(0));
      packed_rows = x.size(0);
    });
    if (x.size(0) != packed_rows) return plain(x);
    return linear.call(x, packed, weight, optional_value(bias), packed_rows);
  }
};

PackedLinear::PackedLinear(const at::Tensor& weight, const at::Tensor& bias, InferenceType type)
    : state_(std::make_shared<State>()) {
  const c10::NoGradGuard no_grad;
  const auto own = [](const at::Tensor& x) {
    return x.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  };
  if (type.is_int8)
    state_->int8.emplace(own(weight));
  else
    state_->weight = own(weight).to(type.type);
  if (bias.defined()) state_->bias = own(bias).to(type.type);
}

at::Tensor PackedLinear::forward(const at::Tensor& x) const {
  if (state_->int8) return state_->int8->multiply(x.contiguous(), state_->bias);
  const bool is_for_mkl = x.device().is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
  return is_for_mkl ? state_->with_mkl(x) : state_->plain(x);
}

} // namespace vlreid
