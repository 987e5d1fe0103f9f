// Element types of stored tensors, without LibTorch: what safetensors calls F32 and torch calls float32.
// Thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace vlreid {

enum class Dtype { float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, boolean };

std::size_t size_of(Dtype dtype);
// "float32"
std::string_view name_of(Dtype dtype);
// "F32"; nothing for a type that we do not read (complex, float8, unsigned of more than 8 bits).
std::string_view safetensors_name(Dtype dtype);
std::optional<Dtype> dtype_from_safetensors(std::string_view name);

// The number of elements of a shape, or nothing when a side is negative or the product times `element_size`
// leaves 63 bits.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape, std::size_t element_size = 1);

// The Dtype of a C++ type; the 16-bit floats have none, read them as their bits (uint16_t).
template <typename T>
constexpr bool holds(Dtype dtype) {
  if constexpr (std::is_same_v<T, double>) return dtype == Dtype::float64;
  if constexpr (std::is_same_v<T, float>) return dtype == Dtype::float32;
  if constexpr (std::is_same_v<T, std::uint16_t>) return dtype == Dtype::float16 || dtype == Dtype::bfloat16;
  if constexpr (std::is_same_v<T, std::int64_t>) return dtype == Dtype::int64;
  if constexpr (std::is_same_v<T, std::int32_t>) return dtype == Dtype::int32;
  if constexpr (std::is_same_v<T, std::int16_t>) return dtype == Dtype::int16;
  if constexpr (std::is_same_v<T, std::int8_t>) return dtype == Dtype::int8;
  if constexpr (std::is_same_v<T, std::uint8_t>) return dtype == Dtype::uint8;
  if constexpr (std::is_same_v<T, bool>) return dtype == Dtype::boolean;
  return false;
}

} // namespace vlreid
