// Safetensors: the outcome is entries that cover the data without overlap, or Error.
#include "vlreid/archive/safetensors.h"
#include "vlreid/base/error.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

using namespace vlreid;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const SafetensorsContent content = parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz");
    std::size_t covered = 0;
    for (const TensorEntry& entry : content.entries) {
      const auto count = element_count(entry.shape, size_of(entry.dtype));
      if (!count || static_cast<std::size_t>(*count) * size_of(entry.dtype) != entry.bytes.size())
        std::abort();
      covered += entry.bytes.size();
      volatile int touched =
          entry.bytes.empty() ? 0
                              : static_cast<int>(entry.bytes.front()) + static_cast<int>(entry.bytes.back());
      (void)touched;
    }
    if (covered > size) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
