#include "vlreid/tensor/dtype.h"

#include <array>

namespace vlreid {
namespace {

struct TypeName {
  at::ScalarType type;
  std::string_view name;
  std::string_view short_name; // of --dtype
};

constexpr std::array<TypeName, 10> kTypes{{{at::kDouble, "float64", "f64"},
                                           {at::kFloat, "float32", "f32"},
                                           {at::kHalf, "float16", "f16"},
                                           {at::kBFloat16, "bfloat16", "bf16"},
                                           {at::kLong, "int64", "i64"},
                                           {at::kInt, "int32", "i32"},
                                           {at::kShort, "int16", "i16"},
                                           {at::kChar, "int8", "i8"},
                                           {at::kByte, "uint8", "u8"},
                                           {at::kBool, "bool", "bool"}}};

} // namespace

std::string_view name_of(at::ScalarType type) {
  for (const TypeName& row : kTypes)
    if (row.type == type) return row.name;
  return "other";
}

std::optional<at::ScalarType> parse_scalar_type(std::string_view text) {
  for (const TypeName& row : kTypes)
    if (row.name == text || row.short_name == text) return row.type;
  return std::nullopt;
}

} // namespace vlreid
