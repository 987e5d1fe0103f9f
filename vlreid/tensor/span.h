// Between tensors and the spans of the torch-free folders.
#pragma once

#include "vlreid/base/error.h"

#include <ATen/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <span>

namespace vlreid {

// The elements of a contiguous CPU tensor of that type, in place: valid as long as the tensor.
template <typename T>
std::span<const T> span_of(const at::Tensor& tensor) {
  VLREID_ASSERT(tensor.is_contiguous() && tensor.device().is_cpu());
  return {tensor.const_data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

template <typename T>
std::span<T> mutable_span_of(at::Tensor& tensor) {
  VLREID_ASSERT(tensor.is_contiguous() && tensor.device().is_cpu());
  return {tensor.mutable_data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

// A copy with a shape. REQUIRES: as many values as the shape has.
template <typename T>
at::Tensor tensor_of(std::span<const T> values, at::IntArrayRef shape) {
  at::Tensor tensor = at::empty(shape, c10::CppTypeToScalarType<T>::value);
  VLREID_ASSERT(tensor.numel() == static_cast<std::int64_t>(values.size()));
  std::ranges::copy(values, tensor.mutable_data_ptr<T>());
  return tensor;
}

} // namespace vlreid
