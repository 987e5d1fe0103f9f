// Tensors as the matrices of products.h.
#pragma once

#include "vlreid/products/products.h"

#include <ATen/Tensor.h>

namespace vlreid {

// A matrix of float32 or bfloat16 with the numbers of a row beside each other. `x` is to live as long.
inline Numbers numbers_of(const at::Tensor& x) {
  if (x.scalar_type() == at::kBFloat16)
    return {.narrow = static_cast<const Bf16*>(x.const_data_ptr()), .stride = x.stride(0)};
  return {.floats = x.const_data_ptr<float>(), .stride = x.stride(0)};
}

inline ProductOutput output_of(const at::Tensor& out) {
  if (out.scalar_type() == at::kBFloat16)
    return {.stride = out.stride(0), .narrow = static_cast<Bf16*>(out.mutable_data_ptr())};
  return {.values = out.mutable_data_ptr<float>(), .stride = out.stride(0)};
}

} // namespace vlreid
