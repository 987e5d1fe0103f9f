// StateDict -> file, replaced atomically. Tensors may lie on any device and have any strides; they are
// written row-major.
#pragma once

#include "vlreid/weights/state_dict.h"

#include <filesystem>
#include <map>
#include <string>

namespace vlreid {

// A flat state dict that torch.load(weights_only=True) reads: an OrderedDict of tensors. The same input gives
// the same bytes.
void save_pth(const std::filesystem::path& path, const StateDict& state);

void save_safetensors(const std::filesystem::path& path, const StateDict& state,
                      const std::map<std::string, std::string>& metadata = {});

} // namespace vlreid
