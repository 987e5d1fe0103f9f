#include "vlreid/train/batch_memory.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include "vlreid/base/error.h"

namespace vlreid {
namespace {

constexpr std::int64_t kBatches = 2; // that it holds

} // namespace

BatchMemory::BatchMemory(std::int64_t batch_size, std::int64_t width, at::Device device)
    : features_(at::zeros({kBatches * batch_size, width}, at::TensorOptions().device(device))),
      labels_(at::full({kBatches * batch_size}, -1, at::TensorOptions().dtype(at::kLong).device(device))) {}

TripletMemory BatchMemory::with(const at::Tensor& features, const at::Tensor& labels) {
  const c10::NoGradGuard no_gradients;
  const std::int64_t count = features.size(0), room = features_.size(0);
  VLREID_ASSERT(count <= room);
  const std::int64_t begin = std::min(next_, room - count);
  features_.slice(0, begin, begin + count).copy_(features);
  labels_.slice(0, begin, begin + count).copy_(labels);
  next_ = next_ + count > room ? 0 : begin + count;
  return {
      .features = features_, .labels = labels_, .own = at::arange(begin, begin + count, labels_.options())};
}

StateDict BatchMemory::state() const {
  StateDict state;
  state.add("features", features_);
  state.add("labels", labels_);
  state.add("next", at::scalar_tensor(next_, at::kLong));
  return state;
}

void BatchMemory::load(const StateDict& state) {
  features_.copy_(state.at("features"));
  labels_.copy_(state.at("labels"));
  next_ = state.at("next").item<std::int64_t>();
}

} // namespace vlreid
