// What torch.save and torch.jit.save write, as a list of tensors:
//
//     zip     NAME/data.pkl      the values; tensors name a storage: (type, key, device, count), an offset,
//     sides and strides
//             NAME/data/KEY      the bytes of a storage, stored
//             NAME/byteorder     "little"
//             NAME/code/..., NAME/constants.pkl  only in TorchScript archives: their program, never looked at
//     legacy  (torch before 1.6) five pickles (magic, protocol, system, values, keys), then per key a count
//     and the bytes
//
// Every tensor is checked to lie inside its storage. Storages stay where they are in the file. Thread safe.
#pragma once

#include "vlreid/archive/bytes.h"
#include "vlreid/archive/dtype.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

struct StoredTensor {
  std::string name; // "visual.conv1.weight"
  Dtype dtype{};
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides; // in elements, not negative
  std::int64_t offset = 0;           // in elements, into the storage
  Bytes storage;
};

struct TorchFile {
  bool is_torchscript = false;
  bool is_legacy = false;
  std::string wrapper; // the key that held the state dict ("state_dict", "model", "model_state_dict"), empty
                       // for a flat one
  std::vector<StoredTensor> tensors;
};

bool looks_like_zip(std::span<const std::byte> file);
bool looks_like_legacy_torch(std::span<const std::byte> file);

// `file` must outlive the result. REQUIRES (else a data error with `place`): one of the two forms.
TorchFile read_torch_file(std::span<const std::byte> file, const std::string& place);

} // namespace vlreid
