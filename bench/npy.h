// NumPy's files of arrays, version 1, as the benchmarks exchange them with their peers.
#pragma once

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

// type: "<f4", "<i8"; shape: "3, 4".
template <typename T>
void save_npy(const std::filesystem::path& path, const std::string& type, const std::string& shape,
              std::span<const T> values) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ') += '\n';
  AtomicFile file(path);
  file.write(std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() % 256) +
             static_cast<char>(header.size() / 256) + header);
  file.write(std::as_bytes(values));
  file.commit();
}

// The numbers of a float32 array; its shape is known to who reads it.
inline std::vector<float> load_npy_floats(const std::filesystem::path& path) {
  constexpr std::size_t kStart = 10; // magic, version, length of the header
  const MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  VLREID_REQUIRE(bytes.size() > kStart, ErrorKind::data, path.string(), "no header", "an .npy file");
  const std::size_t begin =
      kStart + std::to_integer<std::size_t>(bytes[8]) + 256 * std::to_integer<std::size_t>(bytes[9]);
  VLREID_REQUIRE(begin <= bytes.size(), ErrorKind::data, path.string(), "a header beyond its end",
                 "an .npy file");
  std::vector<float> values((bytes.size() - begin) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + begin, values.size() * sizeof(float));
  return values;
}

} // namespace vlreid
