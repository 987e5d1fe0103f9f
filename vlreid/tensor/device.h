// The value of --device. The CUDA path needs no CUDA header: LibTorch says at run time whether it has one.
// Thread safe.
#pragma once

#include <c10/core/Device.h>

#include <string_view>

namespace vlreid {

// "cpu", "cuda" or "cuda:1". Another word is a usage error, and so is a CUDA device that this machine or
// build does not have.
at::Device parse_device(std::string_view text);

} // namespace vlreid
