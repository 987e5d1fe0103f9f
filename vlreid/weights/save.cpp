#include "vlreid/weights/save.h"

#include "vlreid/archive/writers.h"
#include "vlreid/base/error.h"
#include "vlreid/tensor/dtype.h"
#include "vlreid/weights/element_types.h"

#include <span>

namespace vlreid {
namespace {

std::vector<TensorPlan> plans_of(const StateDict& state) {
  std::vector<TensorPlan> plans;
  for (const auto& [name, tensor] : state) {
    const auto dtype = dtype_of(tensor.scalar_type());
    VLREID_ASSERT(dtype.has_value());
    plans.push_back({.name = name, .dtype = *dtype, .shape = tensor.sizes().vec()});
  }
  return plans;
}

at::Tensor row_major(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU).contiguous();
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

} // namespace

void save_pth(const std::filesystem::path& path, const StateDict& state) {
  TorchFileWriter writer(path, plans_of(state));
  for (const auto& [name, tensor] : state)
    writer.add(bytes_of(row_major(tensor)));
  writer.commit();
}

void save_safetensors(const std::filesystem::path& path, const StateDict& state,
                      const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter writer(path, plans_of(state), metadata);
  for (const auto& [name, tensor] : state)
    writer.append(bytes_of(row_major(tensor)));
  writer.commit();
}

} // namespace vlreid
