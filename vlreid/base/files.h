// Files as the project reads and writes them: mapped or whole for reading, replaced atomically for writing,
// folders listed in byte order. Nothing here depends on the working folder or locale. Every function throws
// Error with the path in its place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

// A whole file mapped read-only. An empty file gives an empty span. Movable; bytes() stays valid as long as
// the object.
class MappedFile {
public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Reads a regular file whole. REQUIRES (else ErrorKind::data): not larger than `max_bytes`.
std::string read_text(const std::filesystem::path& path, std::uint64_t max_bytes = 256u << 20);
std::vector<std::byte> read_bytes(const std::filesystem::path& path, std::uint64_t max_bytes = 1u << 30);

// Writes beside the target and puts the file in place on commit(): fsync, rename, fsync of the folder. Until
// then, and when the object goes away without commit(), the target is untouched and the temporary file is
// removed. Not thread safe.
class AtomicFile {
public:
  explicit AtomicFile(std::filesystem::path target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  // Overwrites bytes already written (a header whose content is known at the end).
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  std::uint64_t size() const { return size_; }
  void commit();

private:
  std::filesystem::path target_;
  std::string temporary_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// AtomicFile in one call.
void write_file(const std::filesystem::path& target, std::string_view text);

// Durable: fsync of a folder after a rename in it.
void sync_folder(const std::filesystem::path& folder);

// Names of the regular files directly in `folder` (links followed), in byte order; hidden ones left out.
std::vector<std::string> list_files(const std::filesystem::path& folder);
// Paths relative to `folder` of all regular files below it, in byte order; hidden files and folders left out,
// loops not followed.
std::vector<std::string> list_files_recursively(const std::filesystem::path& folder);

} // namespace vlreid
