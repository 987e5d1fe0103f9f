#include "vlreid/inference/weights_checksum.h"

#include "vlreid/base/files.h"
#include "vlreid/base/memory.h"
#include "vlreid/base/thread_pool.h"

#include <algorithm>
#include <fmt/format.h>
#include <zlib.h> // crc32_z, crc32_combine

namespace vlreid {
namespace {

constexpr std::size_t kPartBytes = std::size_t{8} << 20;

std::span<const std::byte> part_of(std::span<const std::byte> bytes, std::size_t part) {
  const std::size_t begin = part * kPartBytes;
  return bytes.subspan(begin, std::min(kPartBytes, bytes.size() - begin));
}

} // namespace

std::string weights_checksum(const std::filesystem::path& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const std::size_t parts = (bytes.size() + kPartBytes - 1) / kPartBytes;
  std::vector<uLong> sums(parts);
  shared_pool().parallel_for(parts, 1, [&](std::size_t part, std::size_t, int) {
    const auto content = part_of(bytes, part);
    sums[part] = ::crc32_z(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
    forget_file_pages(content.data(), content.size());
  });
  uLong sum = 0;
  for (std::size_t part = 0; part < parts; ++part)
    sum = ::crc32_combine(sum, sums[part], static_cast<z_off_t>(part_of(bytes, part).size()));
  return fmt::format("{:08x}-{:x}", sum, bytes.size());
}

} // namespace vlreid
