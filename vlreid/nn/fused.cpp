#include "vlreid/nn/fused.h"

#include "vlreid/base/error.h"
#include "vlreid/nn/layers.h"
#include "vlreid/nn/vector_loops.h"

#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sigmoid_backward.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace vlreid {
namespace {

constexpr std::int64_t kRowGrain = 16;

// 32 well mixed bits of 32.
VLREID_INLINE std::uint32_t mixed(std::uint32_t x) {
  x ^= x >> 16;
  x *= 0x7FEB352DU;
  x ^= x >> 15;
  x *= 0x846CA68BU;
  return x ^ (x >> 16);
}

template <typename T>
struct DropoutTask {
  const T* x;
  T* out;
  std::int64_t width;
  std::uint64_t seed;
  std::uint32_t dropped_below; // of 2^32
  float factor;
};

template <typename T>
VLREID_INLINE void dropout_rows(const DropoutTask<T>& task, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const std::uint32_t key =
        mixed(static_cast<std::uint32_t>(task.seed) ^ mixed(static_cast<std::uint32_t>(row))) +
        static_cast<std::uint32_t>(task.seed >> 32);
    const T* __restrict x = task.x + row * task.width;
    T* __restrict out = task.out + row * task.width;
    for (std::int64_t i = 0; i < task.width; ++i) {
      const bool is_kept = mixed(key + static_cast<std::uint32_t>(i)) >= task.dropped_below;
      out[i] = static_cast<T>(is_kept ? static_cast<float>(x[i]) * task.factor : 0.0F);
    }
  }
}

VLREID_LOOPS(dropout, dropout_rows)

template <typename Task>
void run(RowLoop<Task> loop, const Task& task, std::int64_t rows) {
  for_rows(rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) { loop(task, begin, end); });
}

template <typename T>
void dropout_on_cpu(const at::Tensor& x, at::Tensor& out, DropoutKey key) {
  using Task = DropoutTask<T>;
  static const RowLoop<Task> loop = dropout_loop<Task>();
  run(loop,
      Task{.x = x.const_data_ptr<T>(),
           .out = out.mutable_data_ptr<T>(),
           .width = x.size(1),
           .seed = key.seed,
           .dropped_below = static_cast<std::uint32_t>(key.probability * 4294967296.0),
           .factor = static_cast<float>(1 / (1 - key.probability))},
      x.size(0));
}

bool has_loop(const at::Tensor& x, at::ScalarType type) {
  return x.device().is_cpu() && x.is_contiguous() && (type == at::kFloat || type == at::kBFloat16);
}

} // namespace

void for_rows(std::int64_t rows, std::int64_t grain,
              const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (rows <= 0) return;
  // The iterator only divides the range: its elements are addresses, never read or written.
  const at::Tensor line = at::empty({rows}, at::kByte);
  const char* const base = static_cast<const char*>(line.const_data_ptr());
  auto iterator = at::TensorIterator::borrowing_nullary_op(line);
  iterator.for_each(
      [&](char** data, const std::int64_t*, std::int64_t count, std::int64_t lines) {
        VLREID_ASSERT(lines == 1);
        const std::int64_t begin = data[0] - base;
        body(begin, begin + count);
      },
      grain);
}

namespace {

// Elements that one thread takes through all operators before it takes the next: 128 KB of each operand, so
// that they stay in the second cache.
constexpr std::int64_t kElementsAtOnce = 1 << 15;

// Calls body(begin, end) for parts of [0, count): several threads on a CPU, all at once elsewhere.
void for_elements(const at::Tensor& like, const std::function<void(std::int64_t, std::int64_t)>& body) {
  const std::int64_t count = like.numel();
  if (!like.device().is_cpu()) return body(0, count);
  for_rows(count, kElementsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    const c10::NoGradGuard no_gradients; // not inherited by other threads
    const c10::impl::ExcludeDispatchKeyGuard as_written(c10::autocast_dispatch_keyset);
    for (std::int64_t i = begin; i < end; i += kElementsAtOnce)
      body(i, std::min(end, i + kElementsAtOnce));
  });
}

} // namespace

at::Tensor quick_gelu_of(const at::Tensor& x) {
  VLREID_ASSERT(x.is_contiguous());
  at::Tensor value = at::empty_like(x);
  const at::Tensor from = x.view(-1), to = value.view(-1);
  for_elements(x, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor part = from.slice(0, begin, end);
    at::Tensor out = to.slice(0, begin, end);
    at::mul_out(out, part, at::mul(part, kQuickGeluSlope).sigmoid_());
  });
  return value;
}

at::Tensor quick_gelu_backward_(at::Tensor& gradient, const at::Tensor& x, bool wants_value) {
  VLREID_ASSERT(gradient.is_contiguous() && x.is_contiguous() && gradient.sizes() == x.sizes());
  at::Tensor value = wants_value ? at::empty_like(x) : at::Tensor();
  const at::Tensor from = x.view(-1), flat = gradient.view(-1);
  for_elements(x, [&](std::int64_t begin, std::int64_t end) {
    const at::Tensor part = from.slice(0, begin, end);
    const at::Tensor s = at::mul(part, kQuickGeluSlope).sigmoid_();
    at::Tensor given = flat.slice(0, begin, end);
    at::Tensor through = at::mul(given, part); // what reaches the sigmoid
    at::sigmoid_backward_out(through, through, s).mul_(kQuickGeluSlope);
    given.mul_(s).add_(through);
    if (!wants_value) return;
    at::Tensor out = value.view(-1).slice(0, begin, end);
    at::mul_out(out, part, s);
  });
  return value;
}

at::Tensor keyed_dropout(const at::Tensor& x, DropoutKey key) {
  VLREID_ASSERT(x.dim() == 2 && has_loop(x, x.scalar_type()) && key.probability >= 0 && key.probability < 1);
  at::Tensor out = at::empty_like(x);
  if (x.scalar_type() == at::kFloat)
    dropout_on_cpu<float>(x, out, key);
  else
    dropout_on_cpu<at::BFloat16>(x, out, key);
  return out;
}

} // namespace vlreid
