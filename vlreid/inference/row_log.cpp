#include "vlreid/inference/row_log.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h> // crc32

namespace vlreid {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMagic = "VLREIDR1";
constexpr std::size_t kFixedHeader = 16; // magic, length of the fingerprint, F
constexpr std::size_t kRecordHeader = 8; // status, CRC
constexpr double kSyncSeconds = 5;       // what a power cut may cost

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::uint32_t crc_of(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

template <typename Number>
Number read_number(std::span<const std::byte> bytes, std::size_t offset) {
  Number value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

void append_bytes(std::vector<std::byte>& to, const void* from, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(from);
  to.insert(to.end(), bytes, bytes + size);
}

} // namespace

void RowLog::Descriptor::open(const fs::path& path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) fail_errno(errno, path.string(), "cannot create it");
}

void RowLog::Descriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

RowLog::RowLog(fs::path path, std::string fingerprint, std::int64_t dims, bool may_resume)
    : path_(std::move(path)), fingerprint_(std::move(fingerprint)), dims_(static_cast<std::size_t>(dims)),
      header_bytes_(kFixedHeader + fingerprint_.size()),
      record_bytes_(kRecordHeader + dims_ * sizeof(float)) {
  descriptor_.open(path_);
  VLREID_REQUIRE(::flock(descriptor_.get(), LOCK_EX | LOCK_NB) == 0, ErrorKind::locked, path_.string(),
                 "another process is writing it", "one run at a time",
                 "wait for it to end, or choose another --out");
  const bool is_new = fs::file_size(path_) == 0;
  VLREID_REQUIRE(is_new || may_resume, ErrorKind::cannot_create, path_.string(),
                 "an earlier run was stopped and left its rows", "--resume to go on with them",
                 "add --resume, or delete that file to start afresh");
  if (is_new)
    start_new();
  else
    read_existing();
  last_sync_ = seconds_now();
}

void RowLog::start_new() {
  append_bytes(pending_, kMagic.data(), kMagic.size());
  const auto length = static_cast<std::uint32_t>(fingerprint_.size()),
             dims = static_cast<std::uint32_t>(dims_);
  append_bytes(pending_, &length, sizeof length);
  append_bytes(pending_, &dims, sizeof dims);
  append_bytes(pending_, fingerprint_.data(), fingerprint_.size());
  flush(true);
}

void RowLog::read_existing() {
  {
    const MappedFile file(path_);
    const auto bytes = file.bytes();
    const bool is_ours =
        bytes.size() >= header_bytes_ && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0 &&
        read_number<std::uint32_t>(bytes, 8) == fingerprint_.size() &&
        read_number<std::uint32_t>(bytes, 12) == dims_ &&
        std::memcmp(bytes.data() + kFixedHeader, fingerprint_.data(), fingerprint_.size()) == 0;
    VLREID_REQUIRE(
        is_ours, ErrorKind::data, path_.string(), "its rows were made with other weights, options or images",
        "the run that is to be resumed", "run with the same arguments, or delete that file to start afresh");
  }
  truncate(count_intact());
}

std::size_t RowLog::count_intact() const {
  const MappedFile file(path_);
  const auto bytes = file.bytes();
  std::size_t count = 0;
  for (std::size_t at = header_bytes_; at + record_bytes_ <= bytes.size(); at += record_bytes_, ++count) {
    const auto status = read_number<std::uint32_t>(bytes, at);
    const auto row = bytes.subspan(at + kRecordHeader, record_bytes_ - kRecordHeader);
    if ((status != 1 && status != 2) || read_number<std::uint32_t>(bytes, at + 4) != crc_of(row)) break;
  }
  return count;
}

void RowLog::truncate(std::size_t count) {
  VLREID_ASSERT(pending_.empty());
  count_ = count;
  const auto size = static_cast<off_t>(header_bytes_ + count * record_bytes_);
  if (::ftruncate(descriptor_.get(), size) != 0 || ::lseek(descriptor_.get(), size, SEEK_SET) != size)
    fail_errno(errno, path_.string(), "cannot shorten it");
}

void RowLog::append(Status status, std::span<const float> row) {
  VLREID_ASSERT(row.size() == (status == Status::embedded ? dims_ : 0));
  std::vector<float> zeros;
  if (row.empty()) row = zeros = std::vector<float>(dims_);
  const auto number = static_cast<std::uint32_t>(status);
  const std::uint32_t crc = crc_of(std::as_bytes(row));
  append_bytes(pending_, &number, sizeof number);
  append_bytes(pending_, &crc, sizeof crc);
  append_bytes(pending_, row.data(), row.size_bytes());
  ++count_;
}

void RowLog::flush(bool now) {
  for (std::size_t done = 0; done < pending_.size();) {
    const ssize_t put = ::write(descriptor_.get(), pending_.data() + done, pending_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_errno(errno, path_.string(), "writing failed");
    done += static_cast<std::size_t>(put);
  }
  pending_.clear();
  if (!now && seconds_now() - last_sync_ < kSyncSeconds) return;
  if (::fdatasync(descriptor_.get()) != 0) fail_errno(errno, path_.string(), "writing failed");
  last_sync_ = seconds_now();
}

void RowLog::for_each(const std::function<void(std::size_t, std::span<const float>)>& visit) const {
  VLREID_ASSERT(pending_.empty());
  std::vector<std::byte> record(record_bytes_);
  std::vector<float> row(dims_);
  for (std::size_t item = 0; item < count_; ++item) {
    const auto at = static_cast<off_t>(header_bytes_ + item * record_bytes_);
    const ssize_t got = ::pread(descriptor_.get(), record.data(), record_bytes_, at);
    if (got != static_cast<ssize_t>(record_bytes_))
      fail_errno(got < 0 ? errno : EIO, path_.string(), "reading failed");
    std::memcpy(row.data(), record.data() + kRecordHeader, dims_ * sizeof(float));
    const bool is_embedded = read_number<std::uint32_t>(record, 0) == 1;
    visit(item, is_embedded ? std::span<const float>(row) : std::span<const float>());
  }
}

void RowLog::remove() {
  descriptor_.close();
  fs::remove(path_);
}

} // namespace vlreid
