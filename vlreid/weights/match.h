// Compares what a model needs with what a file has, before anything is copied.
#pragma once

#include "vlreid/weights/state_dict.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

// One data error that lists every missing, extra and misshapen tensor (the first 20 of each, with the count).
void require_tensors(const StateDict& state, std::span<const ExpectedTensor> expected,
                     const std::string& path);

} // namespace vlreid
