#include "vlreid/inference/weights_checksum.h"

#include "vlreid/base/files.h"

#include "tests/support/temp_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

namespace vlreid {
namespace {

TEST(WeightsChecksum, IsThatOfTheWholeFile) {
  const TempFolder folder;
  for (const std::size_t size : {0U, 5U, 8U << 20, 17'000'001U}) {
    std::string bytes(size, 'a');
    for (std::size_t i = 0; i < size; i += 3)
      bytes[i] = static_cast<char>(i * 7 % 251);
    AtomicFile file(folder.path() / "weights");
    file.write(bytes);
    file.commit();
    const uLong whole = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    EXPECT_EQ(weights_checksum(folder.path() / "weights"), fmt::format("{:08x}-{:x}", whole, size));
  }
}

} // namespace
} // namespace vlreid
