#include "vlreid/weights/element_types.h"

#include <array>

namespace vlreid {
namespace {

// In the order of the enumerators of Dtype.
constexpr std::array<at::ScalarType, 10> kTypes{at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong,
                                                at::kInt,    at::kShort, at::kChar, at::kByte,     at::kBool};

} // namespace

at::ScalarType scalar_type_of(Dtype dtype) {
  return kTypes.at(static_cast<std::size_t>(dtype));
}

std::optional<Dtype> dtype_of(at::ScalarType type) {
  for (std::size_t i = 0; i < kTypes.size(); ++i)
    if (kTypes[i] == type) return static_cast<Dtype>(i);
  return std::nullopt;
}

} // namespace vlreid
