#include "vlreid/archive/zip.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>
#include <zlib.h>

namespace vlreid {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kLocator64Signature = 0x07064b50;
constexpr std::uint64_t kEndSize = 22;
constexpr std::uint64_t kLocator64Size = 20;
constexpr std::uint64_t kMaxComment = 65535;
constexpr std::uint16_t kEncryptedFlag = 1;
constexpr std::uint16_t kZip64Field = 1;
// A real checkpoint has some thousands of entries, and its weights hardly compress.
constexpr std::uint64_t kMaxEntries = 1'000'000;
constexpr std::uint64_t kFreeInflatedBytes = 64u << 20;
constexpr std::uint64_t kMaxInflation = 20;

struct Directory {
  std::uint64_t entries;
  std::uint64_t size;
  std::uint64_t offset;
};

// One record of the central directory.
struct Record {
  ZipEntry entry;
  std::uint64_t packed_size = 0;
  std::uint64_t header_offset = 0;
  std::uint64_t end = 0; // of its bytes
};

std::uint64_t find_end_record(std::span<const std::byte> file, ByteReader& reader) {
  if (file.size() < kEndSize) reader.refuse(fmt::format("{} bytes", file.size()), "a zip archive");
  const std::uint64_t last = file.size() - kEndSize;
  const std::uint64_t first = last > kMaxComment ? last - kMaxComment : 0;
  for (std::uint64_t at = last + 1; at-- > first;) {
    if (ByteReader::load<std::uint32_t>(file.subspan(at, 4)) != kEndSignature) continue;
    if (ByteReader::load<std::uint16_t>(file.subspan(at + 20, 2)) == last - at) return at;
  }
  reader.refuse("no end of the central directory", "a whole zip archive");
}

std::optional<Directory> read_directory64(std::uint64_t end_record, ByteReader& reader) {
  if (end_record < kLocator64Size) return std::nullopt;
  reader.seek(end_record - kLocator64Size);
  if (reader.number<std::uint32_t>() != kLocator64Signature) return std::nullopt;
  reader.take(4);
  reader.seek(reader.number<std::uint64_t>());
  if (reader.number<std::uint32_t>() != kEnd64Signature) reader.refuse("no zip64 end record", "one");
  reader.take(8 + 2 + 2 + 4 + 4 + 8); // size of record, versions, disks, entries on this disk
  Directory directory{};
  directory.entries = reader.number<std::uint64_t>();
  directory.size = reader.number<std::uint64_t>();
  directory.offset = reader.number<std::uint64_t>();
  return directory;
}

Directory read_directory(std::span<const std::byte> file, ByteReader& reader) {
  const std::uint64_t end_record = find_end_record(file, reader);
  if (const auto directory = read_directory64(end_record, reader)) return *directory;
  reader.seek(end_record + 4);
  if (reader.number<std::uint16_t>() != 0 || reader.number<std::uint16_t>() != 0)
    reader.refuse("an archive in several parts", "one file");
  reader.take(2);
  Directory directory{};
  directory.entries = reader.number<std::uint16_t>();
  directory.size = reader.number<std::uint32_t>();
  directory.offset = reader.number<std::uint32_t>();
  return directory;
}

// The zip64 extra field holds, in this order, those of the three numbers that are saturated in the record
// itself.
void apply_zip64(ByteReader fields, Record& record) {
  while (fields.left() >= 4) {
    const auto id = fields.number<std::uint16_t>();
    const auto size = fields.number<std::uint16_t>();
    if (id != kZip64Field) {
      fields.take(size);
      continue;
    }
    for (std::uint64_t* number : {&record.entry.size, &record.packed_size, &record.header_offset})
      if (*number == 0xffffffffu) *number = fields.number<std::uint64_t>();
    return;
  }
}

Record read_record(ByteReader& reader) {
  if (reader.number<std::uint32_t>() != kCentralSignature) reader.refuse("no record of the directory", "one");
  Record record;
  reader.take(2 + 2);
  const auto flags = reader.number<std::uint16_t>();
  const auto method = reader.number<std::uint16_t>();
  reader.take(4); // time and date
  record.entry.checksum = reader.number<std::uint32_t>();
  record.packed_size = reader.number<std::uint32_t>();
  record.entry.size = reader.number<std::uint32_t>();
  const auto name_size = reader.number<std::uint16_t>();
  const auto extra_size = reader.number<std::uint16_t>();
  const auto comment_size = reader.number<std::uint16_t>();
  reader.take(2 + 2 + 4); // disk, attributes
  record.header_offset = reader.number<std::uint32_t>();
  record.entry.name = reader.text(name_size);
  apply_zip64(reader.part(extra_size), record);
  reader.take(comment_size);
  if ((flags & kEncryptedFlag) != 0)
    reader.refuse("'" + record.entry.name + "' is encrypted", "a plain archive");
  if (method != 0 && method != Z_DEFLATED)
    reader.refuse(fmt::format("'{}' is packed by method {}", record.entry.name, method),
                  "0 (stored) or 8 (deflated)");
  record.entry.is_deflated = method == Z_DEFLATED;
  if (!record.entry.is_deflated && record.entry.size != record.packed_size)
    reader.refuse("'" + record.entry.name + "' is stored with two different sizes", "one size");
  return record;
}

// The local header says only where the bytes begin: its name and padding may differ in length from the
// directory's.
void locate(Record& record, ByteReader& reader) {
  reader.seek(record.header_offset);
  if (reader.number<std::uint32_t>() != kLocalSignature) reader.refuse("no local header", "one");
  reader.take(22);
  const auto name_size = reader.number<std::uint16_t>();
  const auto extra_size = reader.number<std::uint16_t>();
  if (reader.text(name_size) != record.entry.name)
    reader.refuse("another name than '" + record.entry.name + "'", "the name of the directory");
  reader.take(extra_size);
  record.entry.packed = reader.take(record.packed_size);
  record.end = reader.position();
}

void require_apart(std::vector<Record>& records, std::uint64_t directory_offset, ByteReader& reader) {
  std::ranges::sort(records, {}, &Record::header_offset);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::uint64_t next = i + 1 < records.size() ? records[i + 1].header_offset : directory_offset;
    if (records[i].end > next)
      reader.refuse("'" + records[i].entry.name + "' overlaps what follows", "entries apart");
  }
}

void require_no_bomb(const std::vector<Record>& records, std::uint64_t file_size, ByteReader& reader) {
  std::uint64_t left = kFreeInflatedBytes + kMaxInflation * file_size;
  for (const Record& record : records) {
    if (!record.entry.is_deflated) continue;
    if (record.entry.size > left)
      reader.refuse(fmt::format("a zip bomb: '{}' unpacks to {} bytes", record.entry.name, record.entry.size),
                    fmt::format("less than {} times the size of the file", kMaxInflation));
    left -= record.entry.size;
  }
}

std::vector<Record> read_records(std::span<const std::byte> file, ByteReader& reader) {
  const Directory directory = read_directory(file, reader);
  if (directory.entries > kMaxEntries)
    reader.refuse(fmt::format("{} entries", directory.entries), fmt::format("at most {}", kMaxEntries));
  reader.seek(directory.offset);
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < directory.entries; ++i)
    records.push_back(read_record(reader));
  for (Record& record : records)
    locate(record, reader);
  require_apart(records, directory.offset, reader);
  require_no_bomb(records, file.size(), reader);
  return records;
}

// Unpacks raw deflate data that must fill `out` exactly.
bool inflate_into(std::span<const std::byte> packed, std::span<std::byte> out) {
  constexpr std::size_t kStep = 1u << 30; // zlib counts in 32 bits
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  std::byte spare{};
  int status = Z_OK;
  while (status == Z_OK) {
    const auto in = packed.first(std::min(packed.size(), kStep));
    const auto room = out.empty() ? std::span(&spare, 1) : out.first(std::min(out.size(), kStep));
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = static_cast<uInt>(room.size());
    status = inflate(&stream, Z_NO_FLUSH);
    packed = packed.subspan(in.size() - stream.avail_in);
    const std::size_t written = room.size() - stream.avail_out;
    if (written > out.size()) status = Z_DATA_ERROR; // into the spare byte: longer than announced
    if (status == Z_OK || status == Z_STREAM_END) out = out.subspan(written);
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && out.empty();
}

} // namespace

ZipReader::ZipReader(std::span<const std::byte> file, std::string place) : place_(std::move(place)) {
  ByteReader reader(file, place_, "zip archive");
  for (Record& record : read_records(file, reader)) {
    if (!index_.emplace(record.entry.name, entries_.size()).second)
      reader.refuse("'" + record.entry.name + "' twice", "every name once");
    entries_.push_back(std::move(record.entry));
  }
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &entries_[found->second];
}

Bytes ZipReader::read(const ZipEntry& entry) const {
  Bytes bytes{.view = entry.packed};
  if (entry.is_deflated) {
    const auto unpacked = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(entry.size));
    VLREID_REQUIRE(inflate_into(entry.packed, *unpacked), ErrorKind::data, place_,
                   "'" + entry.name + "' does not unpack", fmt::format("{} bytes", entry.size),
                   "the file is damaged; get it again");
    bytes = {.view = *unpacked, .owner = unpacked};
  }
  const auto checksum = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.view.data()), bytes.view.size());
  VLREID_REQUIRE(
      checksum == entry.checksum, ErrorKind::data, place_,
      fmt::format("'{}' has checksum {:08x}", entry.name, checksum), fmt::format("{:08x}", entry.checksum),
      "the file is damaged (get it again), or was saved with checksums turned off (save it with them)");
  return bytes;
}

} // namespace vlreid
