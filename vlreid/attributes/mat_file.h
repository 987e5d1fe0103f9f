// MATLAB 5 files (".mat" of save -v6 and -v7), read: numeric arrays, text, cells and structs, as trees of
// values.
//
//     128 bytes  text, version 0x0100, "IM" (little endian)
//     elements   8 bytes type and size (or both and up to 4 bytes of data in 8), data, padding to 8 bytes;
//                a compressed one holds another element
//
// Hostile until checked: sizes, counts, depth and the size after decompression have limits, and every broken
// rule is a data error. Complex numbers, sparse arrays, objects and struct arrays are refused. Pure, thread
// safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

struct MatField;

struct MatValue {
  enum class Kind { numbers, text, cells, record };
  Kind kind = Kind::numbers;
  std::vector<std::int64_t> dims = {};
  std::vector<double> numbers = {}; // column by column
  std::string text = {};            // ASCII, column by column
  std::vector<MatValue> cells = {}; // column by column
  std::vector<MatField> fields;     // of a struct, in the order of the file

  // nullptr when there is no such field.
  const MatValue* field(std::string_view name) const;
};

struct MatField {
  std::string name;
  MatValue value;
};

// The variables of a file in their order; `place` goes into messages.
std::vector<MatField> read_mat(std::span<const std::byte> file, const std::string& place);

} // namespace vlreid
