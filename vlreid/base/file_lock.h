// One process at a time in a folder: an advisory lock on a file in it that ends with the object or the
// process, however that ends. Not thread safe.
#pragma once

#include <filesystem>

namespace vlreid {

class FileLock {
public:
  // Makes the file when it is not there. Errors: locked (somebody else holds it), missing, permission, io.
  explicit FileLock(const std::filesystem::path& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

private:
  int descriptor_ = -1;
};

} // namespace vlreid
