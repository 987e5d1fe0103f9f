// Any weights file -> StateDict: OpenAI's TorchScript archives, .pth files as torch.save writes them (flat,
// or wrapped in a dictionary under "state_dict", "model", ...), and safetensors. What a file is follows from
// its bytes, not from its name.
//
// Files are hostile until checked: nothing in them is executed, every size, offset and stride is checked, and
// a damaged file is a data error with its path. Tensors are mapped, not copied, where the file allows it (so
// they are read-only; see state_dict.h).
#pragma once

#include "vlreid/weights/state_dict.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace vlreid {

enum class WeightsKind { torchscript, pth, legacy_pth, safetensors };

// "TorchScript archive", "torch.save file", ...
std::string_view name_of(WeightsKind kind);

struct WeightsFile {
  std::string path;
  WeightsKind kind{};
  std::string wrapper;            // the key that held the state dict ("state_dict"), empty for a flat file
  bool had_module_prefix = false; // "module." (left by DataParallel) was cut off the names
  StateDict state;
  std::map<std::string, std::string> metadata; // of safetensors
};

WeightsFile load_weights(const std::filesystem::path& path);

} // namespace vlreid
