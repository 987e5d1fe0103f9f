// What an inference type means for the products of a CPU.
#pragma once

#include "vlreid/nn/packed.h"
#include "vlreid/products/products.h"

namespace vlreid {

inline ProductType product_type_of(InferenceType type) {
  if (type.is_int8) return ProductType::int8;
  if (type.is_bf16x3) return ProductType::bf16x3;
  return type.type == at::kBFloat16 ? ProductType::bf16 : ProductType::f32;
}

} // namespace vlreid
