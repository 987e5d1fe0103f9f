#include "vlreid/encoders/module_state.h"

#include "vlreid/base/strings.h"

#include <c10/core/GradMode.h>

namespace vlreid {
namespace {

// More blocks than any network has; a name with a larger number counts as damage.
constexpr std::int64_t kMaxBlocks = 1024;

void collect(const torch::nn::Module& module, const std::string& prefix, StateDict& state) {
  for (const auto& item : module.named_parameters(/*recurse=*/false))
    state.add(prefix + item.key(), item.value());
  for (const auto& item : module.named_buffers(/*recurse=*/false))
    state.add(prefix + item.key(), item.value());
  for (const auto& item : module.named_children())
    collect(*item.value(), prefix + item.key() + ".", state);
}

} // namespace

StateDict state_of(const torch::nn::Module& module) {
  StateDict state;
  collect(module, "", state);
  return state;
}

std::vector<ExpectedTensor> expected_tensors(const torch::nn::Module& module) {
  std::vector<ExpectedTensor> expected;
  for (const auto& [name, tensor] : state_of(module))
    expected.push_back({.name = name, .shape = tensor.sizes().vec()});
  return expected;
}

void load_module(torch::nn::Module& module, const StateDict& state, const std::string& place) {
  require_tensors(state, expected_tensors(module), place);
  const c10::NoGradGuard no_grad;
  for (const auto& [name, tensor] : state_of(module))
    at::Tensor(tensor).copy_(state.at(name));
}

void adopt_state(torch::nn::Module& module, const StateDict& state, const std::string& place) {
  require_tensors(state, expected_tensors(module), place);
  const c10::NoGradGuard no_grad;
  for (const auto& [name, tensor] : state_of(module)) {
    const at::Tensor& given = state.at(name);
    at::Tensor own = tensor;
    if (given.scalar_type() == own.scalar_type() && given.device() == own.device() && given.is_contiguous())
      own.set_data(given.detach());
    else
      own.copy_(given);
  }
}

std::int64_t count_blocks(const StateDict& state, const std::string& prefix) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : state) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(name).substr(prefix.size());
    const auto number = parse_integer(rest.substr(0, rest.find('.')));
    if (number && *number >= 0 && *number < kMaxBlocks) count = std::max(count, *number + 1);
  }
  return count;
}

} // namespace vlreid
