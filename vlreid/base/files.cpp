#include "vlreid/base/files.h"

#include "vlreid/base/error.h"
#include "vlreid/base/memory.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace vlreid {
namespace fs = std::filesystem;
namespace {

// An open file descriptor that closes itself.
class Descriptor {
public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {
    if (fd_ < 0) fail_errno(errno, path.string(), "cannot open it");
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(fd_); }
  int get() const { return fd_; }

private:
  int fd_;
};

std::size_t size_of_regular_file(int fd, const std::string& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail_errno(errno, path, "cannot read its size");
  VLREID_REQUIRE(S_ISREG(status.st_mode), ErrorKind::data, path, "not a regular file", "a file",
                 "name a file, not a folder or device");
  return static_cast<std::size_t>(status.st_size);
}

// Works for std::string and std::vector<std::byte>.
template <typename Buffer>
Buffer read_whole(const fs::path& path, std::uint64_t max_bytes) {
  const Descriptor file(path, O_RDONLY);
  const std::size_t size = size_of_regular_file(file.get(), path.string());
  VLREID_REQUIRE(size <= max_bytes, ErrorKind::data, path.string(), fmt::format("{} bytes", size),
                 fmt::format("at most {} bytes", max_bytes), "check that it is the right file");
  Buffer buffer(size, typename Buffer::value_type{});
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(file.get(), buffer.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(errno, path.string(), "reading failed");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  buffer.resize(done);
  return buffer;
}

void write_all(int fd, std::span<const std::byte> bytes, std::uint64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_errno(errno, path, "writing failed");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

bool is_hidden(const fs::path& path) {
  return path.filename().native().starts_with('.');
}

fs::path folder_of(const fs::path& target) {
  return target.has_parent_path() ? target.parent_path() : fs::path(".");
}

} // namespace

MappedFile::MappedFile(const fs::path& path) : path_(path.string()) {
  const Descriptor file(path, O_RDONLY);
  size_ = size_of_regular_file(file.get(), path_);
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) fail_errno(errno, path_, "cannot map it");
  data_ = static_cast<const std::byte*>(address);
  add_file_mapping(data_, size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  remove_file_mapping(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_text(const fs::path& path, std::uint64_t max_bytes) {
  return read_whole<std::string>(path, max_bytes);
}

std::vector<std::byte> read_bytes(const fs::path& path, std::uint64_t max_bytes) {
  return read_whole<std::vector<std::byte>>(path, max_bytes);
}

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
  VLREID_REQUIRE(!fs::is_directory(target_), ErrorKind::cannot_create, target_.string(), "is a folder",
                 "the name of a file", "choose another name");
  temporary_ =
      (folder_of(target_) / fmt::format(".{}.{}.tmp", target_.filename().string(), ::getpid())).string();
  descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ >= 0) return;
  const int error_number = errno;
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS || error_number == ENOSPC ||
      error_number == EDQUOT)
    fail_errno(error_number, target_.string(), "cannot write there");
  fail(ErrorKind::cannot_create, {.place = target_.string(),
                                  .found = fmt::format("cannot create it: {}", std::strerror(error_number)),
                                  .expected = "a folder that exists and can be written",
                                  .remedy = "create the folder or choose another one"});
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_all(descriptor_, bytes, size_, target_.string());
  size_ += bytes.size();
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text)));
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  VLREID_ASSERT(offset + bytes.size() <= size_);
  write_all(descriptor_, bytes, offset, target_.string());
}

void AtomicFile::commit() {
  VLREID_ASSERT(descriptor_ >= 0);
  if (::fsync(descriptor_) != 0) fail_errno(errno, target_.string(), "writing failed");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    fail_errno(errno, target_.string(), "cannot put the new file in place");
  ::close(std::exchange(descriptor_, -1));
  sync_folder(folder_of(target_));
}

void write_file(const fs::path& target, std::string_view text) {
  AtomicFile file(target);
  file.write(text);
  file.commit();
}

void sync_folder(const fs::path& folder) {
  const Descriptor descriptor(folder, O_RDONLY | O_DIRECTORY);
  // Some file systems refuse fsync on folders (EINVAL); the rename itself has happened.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL)
    fail_errno(errno, folder.string(), "cannot make it durable");
}

std::vector<std::string> list_files(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) fail_errno(error.value(), folder.string(), "cannot list the folder");
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : entries)
    if (!is_hidden(entry.path()) && entry.is_regular_file(error))
      names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> list_files_recursively(const fs::path& folder) {
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, fs::directory_options::skip_permission_denied, error);
  if (error) fail_errno(error.value(), folder.string(), "cannot list the folder");
  std::vector<std::string> paths;
  for (auto entry = begin(entries); entry != end(entries); ++entry) {
    if (is_hidden(entry->path())) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_regular_file(error)) paths.push_back(entry->path().lexically_relative(folder).string());
  }
  std::ranges::sort(paths);
  return paths;
}

} // namespace vlreid
