// From the values of a torch pickle to its tensors: which values are a state dict, and what a tensor says
// about its storage.
#pragma once

#include "vlreid/archive/pickle.h"
#include "vlreid/archive/torch_file.h"

#include <functional>
#include <string>
#include <string_view>

namespace vlreid {

// What a pickle says about a storage: ('storage', torch.FloatStorage, key, device, count).
struct StorageReference {
  Dtype dtype{};
  std::string key;
  std::int64_t count = 0; // elements
};

// `node` is a persistent node; a data error when it is not such a tuple.
StorageReference read_storage_reference(const PickleNode& node, const std::string& place);

using StorageLookup = std::function<Bytes(const StorageReference&)>;

// Fills wrapper and tensors of `file`. The lookup must give exactly the bytes that the reference announces.
void collect_tensors(const PickleNode& root, const StorageLookup& lookup, const std::string& place,
                     TorchFile& file);

} // namespace vlreid
