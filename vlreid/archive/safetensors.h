// The safetensors format, read: names, types, shapes and the bytes of each tensor, mapped, never copied.
//
//     8 bytes   length n of the header, little endian, at most 100 MB
//     n bytes   JSON: {"__metadata__": {"key": "text", ...}, "name": {"dtype": "F32", "shape": [2, 3],
//     "data_offsets": [0, 24]}, ...} the rest  tensor bytes, little endian, row-major; together they cover
//     the rest without gap or overlap
//
// Every rule is checked before a tensor is handed out. Immutable after construction, so thread safe.
#pragma once

#include "vlreid/archive/dtype.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vlreid {

struct TensorEntry {
  std::string name;
  Dtype dtype{};
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes; // into the file
};

struct SafetensorsContent {
  std::vector<TensorEntry> entries; // in the order of the header
  std::map<std::string, std::string> metadata;
};

// Checks a whole file in memory; `place` is used in messages. The spans of the result point into `file`.
SafetensorsContent parse_safetensors(std::span<const std::byte> file, const std::string& place);

class SafetensorsFile {
public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::vector<TensorEntry>& entries() const { return content_.entries; }
  bool has(std::string_view name) const { return index_.contains(std::string(name)); }
  // An unknown name is a data error that names the nearest one.
  const TensorEntry& at(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return content_.metadata; }
  const std::string& path() const { return file_->path(); }
  // Keeps the mapping alive for spans that outlive this object.
  const std::shared_ptr<const MappedFile>& file() const { return file_; }

private:
  std::shared_ptr<const MappedFile> file_;
  SafetensorsContent content_;
  std::unordered_map<std::string, std::size_t> index_;
};

// "[2, 3]"
std::string shape_text(std::span<const std::int64_t> shape);

// The elements of an entry, in place. A different type, or bytes that are not aligned for T, is a data error.
template <typename T>
std::span<const T> values(const TensorEntry& entry) {
  VLREID_REQUIRE(holds<T>(entry.dtype), ErrorKind::data, entry.name,
                 "holds " + std::string(name_of(entry.dtype)), "another element type");
  const auto address = reinterpret_cast<std::uintptr_t>(entry.bytes.data());
  VLREID_REQUIRE(address % alignof(T) == 0, ErrorKind::data, entry.name, "its bytes are not aligned",
                 "a multiple of the element size as offset",
                 "write the file again with its tensors sorted by type");
  return {reinterpret_cast<const T*>(entry.bytes.data()), entry.bytes.size() / sizeof(T)};
}

} // namespace vlreid
