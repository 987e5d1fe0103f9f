#include "vlreid/train/model_average.h"

#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numeric>

namespace vlreid {

std::vector<double> epoch_weights(const EpochAverage& average, std::int64_t epochs) {
  std::vector<double> weights;
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const double offset = (static_cast<double>(epoch) - average.mean) / average.deviation;
    weights.push_back(std::exp(-0.5 * offset * offset));
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights)
    weight /= sum;
  return weights;
}

ModelAverage::ModelAverage(const ReidModel& model, const EpochAverage& average, std::int64_t epochs)
    : weights_(epoch_weights(average, epochs)) {
  for (const auto& item : model.named_parameters())
    if (item.value().requires_grad() && item.key().starts_with(average.part))
      members_.add(item.key(), item.value().detach());
  for (const auto& item : model.named_buffers())
    if (item.key().starts_with(average.part)) members_.add(item.key(), item.value());
  for (const auto& [name, tensor] : members_)
    sums_.add(name, at::zeros_like(tensor, tensor.options().dtype(tensor.is_floating_point() ? at::kFloat
                                                                                             : at::kDouble)));
}

void ModelAverage::finish_epoch(std::int64_t epoch) {
  const c10::NoGradGuard no_gradients;
  const double weight = weights_.at(static_cast<std::size_t>(epoch - 1));
  const bool is_last = epoch == static_cast<std::int64_t>(weights_.size());
  for (const auto& [name, member] : members_) {
    at::Tensor sum = sums_.at(name), tensor = member;
    sum.add_(tensor.to(sum.scalar_type()), weight);
    if (is_last) tensor.copy_(sum);
  }
}

void ModelAverage::load(const StateDict& state) {
  for (const auto& [name, sum] : sums_)
    at::Tensor(sum).copy_(state.at(name));
}

} // namespace vlreid
