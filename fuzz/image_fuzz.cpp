// Any bytes as an image: an Image within the limits or an Error of kind `data`, nothing else.
#include "vlreid/base/error.h"
#include "vlreid/image/decode.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// Small limits keep single runs short; the code that checks them is the same.
constexpr std::uint64_t kMaxPixels = 1 << 18;

void check(std::span<const std::byte> bytes, bool accept_truncated) {
  try {
    const vlreid::Image image = vlreid::decode_image(
        bytes, "fuzz", {.max_pixels = kMaxPixels, .max_scans = 20, .accept_truncated = accept_truncated});
    const std::size_t pixels = static_cast<std::size_t>(image.height) * image.width;
    if (pixels == 0 || pixels > kMaxPixels || image.pixels.size() != 3 * pixels) std::abort();
  } catch (const vlreid::Error& error) {
    if (error.kind() != vlreid::ErrorKind::data) std::abort();
  }
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  check(bytes, false);
  check(bytes, true);
  return 0;
}
