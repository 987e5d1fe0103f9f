// Zip archives as torch writes them: read from a mapped file, written as a stream. Stored and deflated
// entries, zip64.
//
//     [local header, name, padding][bytes of entry] ...   each entry's bytes aligned to 64 when we write
//     [central directory: one record an entry][zip64 end][end of central directory]
//
// The reader trusts the central directory alone, after checking that entries lie inside the file and do not
// overlap; checksums are compared when an entry is read. A zip bomb is refused before anything is allocated.
// Reading is thread safe.
#pragma once

#include "vlreid/archive/bytes.h"
#include "vlreid/base/files.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vlreid {

struct ZipEntry {
  std::string name;
  std::uint64_t size = 0;
  std::uint32_t checksum = 0; // CRC-32
  bool is_deflated = false;
  std::span<const std::byte> packed; // as it lies in the file
};

class ZipReader {
public:
  // `place` goes into messages. The file must outlive the reader and the bytes it gives.
  ZipReader(std::span<const std::byte> file, std::string place);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* find(std::string_view name) const;
  // Stored entries are views into the file, deflated ones own their bytes. A wrong checksum is a data error.
  Bytes read(const ZipEntry& entry) const;

private:
  std::string place_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

// Entries are stored, never compressed (weights do not compress), so that a reader can map them.
class ZipWriter {
public:
  explicit ZipWriter(AtomicFile& file) : file_(file) {}

  void add(const std::string& name, std::span<const std::byte> bytes);
  void add(const std::string& name, std::string_view text) { add(name, std::as_bytes(std::span(text))); }
  // Writes the directory; nothing may follow.
  void finish();

private:
  struct Record {
    std::string name;
    std::uint64_t size;
    std::uint64_t offset;
    std::uint32_t checksum;
  };

  AtomicFile& file_;
  std::vector<Record> records_;
};

} // namespace vlreid
