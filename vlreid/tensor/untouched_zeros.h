// Zeros for weights that are about to be replaced or filled: a large tensor is fresh pages of the system,
// which cost nothing until something is written to them. Thread safe.
#pragma once

#include <ATen/Tensor.h>

namespace vlreid {

// [sizes] float32 on the CPU.
at::Tensor untouched_zeros(at::IntArrayRef sizes);

} // namespace vlreid
