// Names of element types as the project prints and reads them. Thread safe.
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string_view>

namespace vlreid {

// "float32", "bfloat16", "int64", ...: the words of torch and numpy; "other" for what no checkpoint holds.
std::string_view name_of(at::ScalarType type);
// The same words, and the short ones of --dtype (f32, bf16, f16).
std::optional<at::ScalarType> parse_scalar_type(std::string_view text);

} // namespace vlreid
