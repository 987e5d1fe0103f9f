#include "vlreid/archive/dtype.h"

#include <array>
#include <limits>

namespace vlreid {
namespace {

struct DtypeRow {
  Dtype dtype;
  std::size_t size;
  std::string_view name;
  std::string_view safetensors;
};

constexpr std::array<DtypeRow, 10> kRows{{{Dtype::float64, 8, "float64", "F64"},
                                          {Dtype::float32, 4, "float32", "F32"},
                                          {Dtype::float16, 2, "float16", "F16"},
                                          {Dtype::bfloat16, 2, "bfloat16", "BF16"},
                                          {Dtype::int64, 8, "int64", "I64"},
                                          {Dtype::int32, 4, "int32", "I32"},
                                          {Dtype::int16, 2, "int16", "I16"},
                                          {Dtype::int8, 1, "int8", "I8"},
                                          {Dtype::uint8, 1, "uint8", "U8"},
                                          {Dtype::boolean, 1, "bool", "BOOL"}}};

// The rows stand in the order of the enumerators.
const DtypeRow& row(Dtype dtype) {
  return kRows.at(static_cast<std::size_t>(dtype));
}

} // namespace

std::size_t size_of(Dtype dtype) {
  return row(dtype).size;
}
std::string_view name_of(Dtype dtype) {
  return row(dtype).name;
}
std::string_view safetensors_name(Dtype dtype) {
  return row(dtype).safetensors;
}

std::optional<Dtype> dtype_from_safetensors(std::string_view name) {
  for (const DtypeRow& candidate : kRows)
    if (candidate.safetensors == name) return candidate.dtype;
  return std::nullopt;
}

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape, std::size_t element_size) {
  // Sides are multiplied without their zeros too, so that [2^62, 2^62, 0] is refused and strides stay in
  // range.
  std::int64_t product = static_cast<std::int64_t>(element_size);
  bool is_empty = false;
  for (const std::int64_t side : shape) {
    if (side < 0) return std::nullopt;
    if (side == 0)
      is_empty = true;
    else if (__builtin_mul_overflow(product, side, &product))
      return std::nullopt;
  }
  return is_empty ? 0 : product / static_cast<std::int64_t>(element_size);
}

} // namespace vlreid
