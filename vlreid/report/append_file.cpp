#include "vlreid/report/append_file.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vlreid {

AppendFile::AppendFile(const std::filesystem::path& path, std::uint64_t keep_bytes)
    : path_(path.string()), descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail_errno(errno, path_, "cannot open it for writing");
  struct stat status {};
  const bool is_sized = ::fstat(descriptor_, &status) == 0;
  size_ = is_sized ? std::min(keep_bytes, static_cast<std::uint64_t>(status.st_size)) : 0;
  if (is_sized && ::ftruncate(descriptor_, static_cast<off_t>(size_)) == 0) return;
  const int error_number = errno;
  ::close(descriptor_);
  fail_errno(error_number, path_, "cannot set its size");
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::append(std::string_view bytes) {
  std::uint64_t end = size_;
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(end));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int error_number = errno;
      // When this fails too, what is left is a torn last line, which readers leave out.
      (void)!::ftruncate(descriptor_, static_cast<off_t>(size_));
      fail_errno(error_number, path_, "writing failed");
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
    end += static_cast<std::uint64_t>(put);
  }
  size_ = end;
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0) fail_errno(errno, path_, "writing failed");
}

} // namespace vlreid
