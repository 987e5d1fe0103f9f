// The content of a weights file in one word, to tell runs with different weights apart.
#pragma once

#include <filesystem>
#include <string>

namespace vlreid {

// CRC-32 and size, in hexadecimal.
std::string weights_checksum(const std::filesystem::path& path);

} // namespace vlreid
