#include "vlreid/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "vlreid/base/error.h"

namespace vlreid {

FileLock::FileLock(const std::filesystem::path& path)
    : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) fail_errno(errno, path.string(), "cannot write there");
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(descriptor_);
  fail(ErrorKind::locked, {.place = path.string(),
                           .found = "another process holds this folder",
                           .expected = "one at a time",
                           .remedy = "wait for it, or choose another folder"});
}

FileLock::~FileLock() {
  ::close(descriptor_);
}

} // namespace vlreid
