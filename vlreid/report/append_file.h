// A file that only grows, by whole pieces: an append that fails (disk full) leaves what was there before. For
// logs that a crash at any moment must leave readable. Not thread safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace vlreid {

class AppendFile {
public:
  // Keeps the first `keep_bytes` of what is there (made when it is not).
  AppendFile(const std::filesystem::path& path, std::uint64_t keep_bytes);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  void append(std::string_view bytes);
  void sync();
  std::uint64_t size() const { return size_; }

private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

} // namespace vlreid
