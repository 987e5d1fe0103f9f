#include "vlreid/inference/weights_checksum.h"

#include "vlreid/base/files.h"

#include <fmt/format.h>
#include <zlib.h> // crc32_z

namespace vlreid {

std::string weights_checksum(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return fmt::format("{:08x}-{:x}", ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()),
                     bytes.size());
}

} // namespace vlreid
