#include "vlreid/archive/zip.h"

#include <algorithm>
#include <limits>
#include <zlib.h>

namespace vlreid {
namespace {

constexpr std::uint64_t kAlignment = 64; // torch's, so that mapped storages suit any vector instruction
constexpr std::uint32_t kSaturated = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint16_t kVersion = 45;        // zip64
constexpr std::uint16_t kUtf8Flag = 1u << 11; // names
constexpr std::uint16_t kDate = 0x21; // 1980-01-01, the earliest: the same content gives the same bytes
constexpr std::uint16_t kZip64Field = 1;
constexpr std::uint16_t kPaddingField = 0x4246; // "FB", as torch pads

void put(std::string& out, std::uint64_t number, int size) {
  for (int i = 0; i < size; ++i)
    out.push_back(static_cast<char>(number >> (8 * i)));
}

std::uint64_t saturate(std::uint64_t number) {
  return std::min<std::uint64_t>(number, kSaturated);
}

// The fields that local header and directory have in common: from the version to the extra length.
void put_common(std::string& out, std::uint32_t checksum, std::uint64_t size, std::size_t name_size,
                std::size_t extra_size) {
  put(out, kVersion, 2);
  put(out, kUtf8Flag, 2);
  put(out, 0, 2); // stored
  put(out, 0, 2); // midnight
  put(out, kDate, 2);
  put(out, checksum, 4);
  put(out, saturate(size), 4);
  put(out, saturate(size), 4);
  put(out, name_size, 2);
  put(out, extra_size, 2);
}

std::string local_header(const std::string& name, std::uint64_t size, std::uint32_t checksum,
                         std::uint64_t offset) {
  std::string extra;
  if (size >= kSaturated) {
    put(extra, kZip64Field, 2);
    put(extra, 16, 2);
    put(extra, size, 8);
    put(extra, size, 8);
  }
  constexpr std::uint64_t kFixedSize = 30;
  constexpr std::uint64_t kFieldHeader = 4;
  const std::uint64_t end = offset + kFixedSize + name.size() + extra.size() + kFieldHeader;
  const std::uint64_t padding = (kAlignment - end % kAlignment) % kAlignment;
  put(extra, kPaddingField, 2);
  put(extra, padding, 2);
  extra.append(padding, '\0');
  std::string header;
  put(header, 0x04034b50, 4);
  put_common(header, checksum, size, name.size(), extra.size());
  return header + name + extra;
}

} // namespace

void ZipWriter::add(const std::string& name, std::span<const std::byte> bytes) {
  const auto checksum =
      static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  records_.push_back({.name = name, .size = bytes.size(), .offset = file_.size(), .checksum = checksum});
  file_.write(local_header(name, bytes.size(), checksum, file_.size()));
  file_.write(bytes);
}

void ZipWriter::finish() {
  const std::uint64_t offset = file_.size();
  std::string out;
  for (const Record& record : records_) {
    std::string numbers;
    if (record.size >= kSaturated) put(numbers, record.size, 8), put(numbers, record.size, 8);
    if (record.offset >= kSaturated) put(numbers, record.offset, 8);
    std::string extra;
    if (!numbers.empty()) put(extra, kZip64Field, 2), put(extra, numbers.size(), 2);
    extra += numbers;
    put(out, 0x02014b50, 4);
    put(out, kVersion, 2);
    put_common(out, record.checksum, record.size, record.name.size(), extra.size());
    out.append(2 + 2 + 2 + 4, '\0'); // comment, disk, attributes
    put(out, saturate(record.offset), 4);
    out += record.name + extra;
  }
  const std::uint64_t size = out.size();
  const std::uint64_t end64 = offset + size;
  put(out, 0x06064b50, 4);
  put(out, 44, 8); // size of the rest of this record
  put(out, kVersion, 2), put(out, kVersion, 2);
  put(out, 0, 4), put(out, 0, 4); // disks
  put(out, records_.size(), 8), put(out, records_.size(), 8);
  put(out, size, 8), put(out, offset, 8);
  put(out, 0x07064b50, 4), put(out, 0, 4), put(out, end64, 8), put(out, 1, 4);
  const std::uint64_t count = std::min<std::uint64_t>(records_.size(), 0xffff);
  put(out, 0x06054b50, 4), put(out, 0, 4);
  put(out, count, 2), put(out, count, 2);
  put(out, saturate(size), 4), put(out, saturate(offset), 4), put(out, 0, 2);
  file_.write(out);
}

} // namespace vlreid
