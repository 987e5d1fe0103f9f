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

// Of attention and of what is small beside products of `type`: narrow numbers where there are instructions
// for them and no scales to find; else float32, which needs no conversion.
inline ProductType attention_type(ProductType type) {
  const bool is_narrow = type == ProductType::bf16 || type == ProductType::int8;
  return is_narrow && has_instructions_for(ProductType::bf16) ? ProductType::bf16 : ProductType::f32;
}

} // namespace vlreid
