// Between the element types of files and those of tensors.
#pragma once

#include "vlreid/archive/dtype.h"

#include <c10/core/ScalarType.h>

#include <optional>

namespace vlreid {

at::ScalarType scalar_type_of(Dtype dtype);
// Nothing for a type that no weights file holds.
std::optional<Dtype> dtype_of(at::ScalarType type);

} // namespace vlreid
