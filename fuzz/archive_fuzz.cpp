// Zip archives, legacy torch files and bare pickles: whatever the bytes are, the outcome is tensors inside
// their storages, or Error.
#include "vlreid/archive/pickle.h"
#include "vlreid/archive/torch_file.h"
#include "vlreid/base/error.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

using namespace vlreid;

namespace {

// Touches the first and the last element of every tensor, which the sanitiser checks.
void touch(const StoredTensor& tensor) {
  std::int64_t last = tensor.offset;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (tensor.shape[i] == 0) return;
    last += (tensor.shape[i] - 1) * tensor.strides[i];
  }
  const auto size = static_cast<std::int64_t>(size_of(tensor.dtype));
  const std::byte* bytes = tensor.storage.view.data();
  volatile int sum =
      static_cast<int>(bytes[tensor.offset * size]) + static_cast<int>(bytes[last * size + size - 1]);
  (void)sum;
  if (tensor.offset < 0 || (last + 1) * size > static_cast<std::int64_t>(tensor.storage.view.size()))
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    for (const StoredTensor& tensor : read_torch_file(bytes, "fuzz").tensors)
      touch(tensor);
  } catch (const Error&) {
  }
  try {
    find_key(parse_pickle(bytes, "fuzz").root(), "state_dict");
  } catch (const Error&) {
  }
  return 0;
}
