#include "vlreid/attributes/mat_file.h"

#include "vlreid/archive/bytes.h"
#include "vlreid/base/error.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <utility>
#include <zlib.h>

namespace vlreid {
namespace {

constexpr std::uint64_t kHeaderBytes = 128;
constexpr std::size_t kMaxInflated = 8u << 20; // bytes of all compressed elements; Market-1501's have 0.13 MB
constexpr int kMaxDepth = 8;                   // of cells and structs in each other
constexpr std::uint64_t kMaxDims = 8;
constexpr std::int32_t kMaxFieldName = 64; // bytes with the closing zero
constexpr std::uint64_t kMaxFields = 1024; // of a struct; Market-1501's has 28
constexpr std::uint64_t kAlignment = 8;
constexpr std::uint64_t kSmallestArray = 8; // bytes of an empty array

enum Type : std::uint32_t { // of an element
  kInt8 = 1,
  kUint8 = 2,
  kInt16 = 3,
  kUint16 = 4,
  kInt32 = 5,
  kUint32 = 6,
  kSingle = 7,
  kDouble = 9,
  kInt64 = 12,
  kUint64 = 13,
  kMatrix = 14,
  kCompressed = 15,
  kUtf8 = 16
};
enum Class : std::uint32_t { kCell = 1, kStruct = 2, kChar = 4, kFirstNumeric = 6, kLastNumeric = 15 };
constexpr std::uint32_t kComplexFlag = 0x0800;

struct Element {
  std::uint32_t type;
  std::uint64_t size;
  ByteReader data;
};

Element read_element(ByteReader& reader) {
  const auto word = reader.number<std::uint32_t>();
  const std::uint32_t small_size = word >> 16;
  if (small_size != 0) { // type, size and data in 8 bytes
    if (small_size > 4) reader.refuse(fmt::format("{} bytes in a small element", small_size), "at most 4");
    ByteReader whole = reader.part(4);
    return {.type = word & 0xffffu, .size = small_size, .data = whole.part(small_size)};
  }
  const std::uint64_t size = reader.number<std::uint32_t>();
  Element element{.type = word, .size = size, .data = reader.part(size)};
  // The last element of a file may lack its padding; a compressed one has none.
  if (word != kCompressed)
    reader.take(std::min((kAlignment - size % kAlignment) % kAlignment, reader.left()));
  return element;
}

std::uint64_t bytes_of(std::uint32_t type) {
  switch (type) {
  case kInt8:
  case kUint8:
  case kUtf8:
    return 1;
  case kInt16:
  case kUint16:
    return 2;
  case kInt32:
  case kUint32:
  case kSingle:
    return 4;
  case kDouble:
  case kInt64:
  case kUint64:
    return 8;
  default:
    return 0;
  }
}

double read_number(ByteReader& reader, std::uint32_t type) {
  switch (type) {
  case kInt8:
    return static_cast<std::int8_t>(reader.number<std::uint8_t>());
  case kInt16:
    return static_cast<std::int16_t>(reader.number<std::uint16_t>());
  case kUint16:
    return reader.number<std::uint16_t>();
  case kInt32:
    return static_cast<std::int32_t>(reader.number<std::uint32_t>());
  case kUint32:
    return reader.number<std::uint32_t>();
  case kSingle:
    return std::bit_cast<float>(reader.number<std::uint32_t>());
  case kDouble:
    return std::bit_cast<double>(reader.number<std::uint64_t>());
  case kInt64:
    return static_cast<double>(static_cast<std::int64_t>(reader.number<std::uint64_t>()));
  case kUint64:
    return static_cast<double>(reader.number<std::uint64_t>());
  default:
    return reader.number<std::uint8_t>();
  }
}

Element expect_element(ByteReader& reader, std::uint32_t type, const char* what) {
  Element element = read_element(reader);
  if (element.type != type)
    reader.refuse(fmt::format("an element of type {}", element.type), fmt::format("type {}: {}", type, what));
  return element;
}

std::uint64_t count_of(const std::vector<std::int64_t>& dims) {
  std::uint64_t count = 1;
  for (const std::int64_t dim : dims)
    count = std::min<std::uint64_t>(count * static_cast<std::uint64_t>(dim), kMaxInflated + 1);
  return count;
}

std::vector<std::int64_t> read_dims(ByteReader& reader) {
  Element element = expect_element(reader, kInt32, "the dimensions of an array");
  const std::uint64_t rank = element.size / 4;
  if (rank < 2 || rank > kMaxDims || element.size % 4 != 0)
    reader.refuse(fmt::format("dimensions of {} bytes", element.size), "2 to 8 of them");
  std::vector<std::int64_t> dims;
  for (std::uint64_t i = 0; i < rank; ++i) {
    dims.push_back(static_cast<std::int32_t>(element.data.number<std::uint32_t>()));
    if (dims.back() < 0) reader.refuse(fmt::format("a dimension of {}", dims.back()), "0 or more");
  }
  if (count_of(dims) > kMaxInflated)
    reader.refuse("an array of too many values", fmt::format("at most {}", kMaxInflated));
  return dims;
}

class MatReader {
public:
  explicit MatReader(std::string place) : place_(std::move(place)) {}

  std::vector<MatField> read_file(std::span<const std::byte> file) {
    ByteReader reader(file, place_, "MATLAB file");
    check_header(reader);
    std::vector<MatField> variables;
    while (reader.left() > 0)
      read_variable(reader, variables, true);
    return variables;
  }

private:
  void check_header(ByteReader& reader) const {
    const std::string_view title = reader.text(kHeaderBytes - 4);
    if (title.starts_with("MATLAB 7.3"))
      fail(ErrorKind::data, {.place = place_,
                             .found = "a MATLAB 7.3 file, which is HDF5",
                             .expected = "a MATLAB 5 file",
                             .remedy = "save it again with -v7, or as CSV"});
    const auto version = reader.number<std::uint16_t>();
    const std::string_view order = reader.text(2);
    if (version != 0x0100 || order != "IM")
      reader.refuse("another version or byte order", "version 0x0100, little endian");
  }

  // Elements that are no arrays are passed over.
  void read_variable(ByteReader& reader, std::vector<MatField>& variables, bool may_be_compressed) {
    Element element = read_element(reader);
    if (element.type == kCompressed && may_be_compressed) {
      const std::vector<std::byte> inflated = inflate_whole(element.data.take(element.size));
      ByteReader inner(inflated, place_, "MATLAB file, decompressed");
      read_variable(inner, variables, false);
      return;
    }
    if (element.type != kMatrix) return;
    std::string name;
    MatValue value = read_array(element.data, name, 0);
    variables.push_back({.name = std::move(name), .value = std::move(value)});
  }

  // The limit holds for the elements of a file together: many small ones would fill the memory as well.
  std::vector<std::byte> inflate_whole(std::span<const std::byte> packed) {
    std::vector<std::byte> bytes(std::min<std::size_t>(inflatable_, 16 * packed.size() + 64));
    while (true) {
      uLongf size = bytes.size();
      const int status =
          uncompress(reinterpret_cast<Bytef*>(bytes.data()), &size,
                     reinterpret_cast<const Bytef*>(packed.data()), static_cast<uLong>(packed.size()));
      if (status == Z_OK) {
        bytes.resize(size);
        inflatable_ -= size;
        return bytes;
      }
      // Too little room is told from damage by the status alone.
      if (status != Z_BUF_ERROR || bytes.size() == inflatable_ || size < bytes.size())
        ByteReader(packed, place_, "MATLAB file")
            .refuse("compressed data that does not decompress",
                    fmt::format("zlib data of at most {} bytes in a file", kMaxInflated));
      bytes.resize(std::min(inflatable_, 4 * bytes.size()));
    }
  }

  MatValue read_array(ByteReader& reader, std::string& name, int depth) {
    if (depth > kMaxDepth) reader.refuse("arrays in arrays", fmt::format("at most {} deep", kMaxDepth));
    MatValue value;
    if (reader.left() == 0) return value; // empty
    Element flags = expect_element(reader, kUint32, "the flags of an array");
    const auto bits = flags.data.number<std::uint32_t>();
    value.dims = read_dims(reader);
    Element label = expect_element(reader, kInt8, "the name of an array");
    name = std::string(label.data.text(label.size));
    if ((bits & kComplexFlag) != 0) reader.refuse("complex numbers", "real ones");
    const std::uint32_t kind = bits & 0xffu;
    if (kind == kCell)
      read_cells(reader, value, depth);
    else if (kind == kStruct)
      read_fields(reader, value, depth);
    else if (kind == kChar)
      read_text(reader, value);
    else if (kind >= kFirstNumeric && kind <= kLastNumeric)
      read_numbers(reader, value);
    else
      reader.refuse(fmt::format("an array of class {}", kind), "numbers, text, cells or a struct");
    return value;
  }

  MatValue read_inner(ByteReader& reader, int depth) {
    Element element = expect_element(reader, kMatrix, "an array");
    std::string name;
    return read_array(element.data, name, depth + 1);
  }

  void read_cells(ByteReader& reader, MatValue& value, int depth) {
    value.kind = MatValue::Kind::cells;
    const std::uint64_t count = count_of(value.dims);
    if (count > reader.left() / kSmallestArray)
      reader.refuse(fmt::format("{} cells in {} bytes", count, reader.left()), "8 bytes a cell or more");
    for (std::uint64_t i = 0; i < count; ++i)
      value.cells.push_back(read_inner(reader, depth));
  }

  void read_fields(ByteReader& reader, MatValue& value, int depth) {
    value.kind = MatValue::Kind::record;
    if (count_of(value.dims) != 1) reader.refuse("an array of structs", "one struct");
    Element length = expect_element(reader, kInt32, "the length of field names");
    const auto width = static_cast<std::int32_t>(length.data.number<std::uint32_t>());
    if (width < 1 || width > kMaxFieldName)
      reader.refuse(fmt::format("field names of {} bytes", width), fmt::format("1 to {}", kMaxFieldName));
    Element names = expect_element(reader, kInt8, "the names of the fields");
    if (names.size % static_cast<std::uint64_t>(width) != 0)
      reader.refuse("field names that do not fit their size", "a multiple of their length");
    if (names.size / static_cast<std::uint64_t>(width) > kMaxFields)
      reader.refuse(fmt::format("field names of {} bytes", names.size),
                    fmt::format("at most {} fields", kMaxFields));
    while (names.data.left() > 0) {
      const std::string_view padded = names.data.text(static_cast<std::uint64_t>(width));
      value.fields.push_back({.name = std::string(padded.substr(0, padded.find('\0'))), .value = {}});
    }
    for (MatField& field : value.fields)
      field.value = read_inner(reader, depth);
  }

  // The stored type may be narrower than the class.
  Element read_values(ByteReader& reader, const MatValue& value) {
    Element element = read_element(reader);
    const std::uint64_t width = bytes_of(element.type);
    if (width == 0) reader.refuse(fmt::format("values of type {}", element.type), "numbers");
    if (element.size != width * count_of(value.dims))
      reader.refuse(fmt::format("{} bytes of values", element.size),
                    fmt::format("{}, as the dimensions say", width * count_of(value.dims)));
    return element;
  }

  void read_numbers(ByteReader& reader, MatValue& value) {
    Element element = read_values(reader, value);
    value.numbers.reserve(count_of(value.dims));
    while (element.data.left() > 0)
      value.numbers.push_back(read_number(element.data, element.type));
  }

  void read_text(ByteReader& reader, MatValue& value) {
    value.kind = MatValue::Kind::text;
    Element element = read_values(reader, value);
    while (element.data.left() > 0) {
      const double letter = read_number(element.data, element.type);
      if (!(letter >= 0x20 && letter < 0x7f)) reader.refuse("a letter that is not ASCII", "ASCII text");
      value.text += static_cast<char>(letter);
    }
  }

  std::string place_;
  std::size_t inflatable_ = kMaxInflated; // what is left of it
};

} // namespace

const MatValue* MatValue::field(std::string_view name) const {
  const auto found = std::ranges::find(fields, name, &MatField::name);
  return found == fields.end() ? nullptr : &found->value;
}

std::vector<MatField> read_mat(std::span<const std::byte> file, const std::string& place) {
  return MatReader(place).read_file(file);
}

} // namespace vlreid
