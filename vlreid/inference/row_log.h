// The rows that a run has finished, on disk while it goes on, so that a killed run goes on where it stopped:
// nothing is computed twice and nothing is lost. One process at a time per file (locked); not thread safe.
//
//     8 bytes    "VLREIDR1"
//     4 bytes    length n of the fingerprint, then the row length F, 4 bytes (both little endian)
//     n bytes    fingerprint: what made the rows (weights, options, list of images), so that others are not
//     mixed in records    one per image of the list, in its order: 4 bytes status (1 embedded, 2 unreadable),
//     4 bytes CRC-32 of the row,
//                F float32 (zeros where unreadable)
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

class RowLog {
public:
  enum class Status : std::uint32_t { embedded = 1, unreadable = 2 };

  // Opens the log of an earlier run when `may_resume` and there is one, else makes a new one. Errors: locked
  // (another process has it), cannot_create (there is one and may_resume is false), data (its fingerprint or
  // row length differ).
  RowLog(std::filesystem::path path, std::string fingerprint, std::int64_t dims, bool may_resume);
  RowLog(const RowLog&) = delete;
  RowLog& operator=(const RowLog&) = delete;

  // Complete, undamaged records from the start of the log.
  std::size_t size() const { return count_; }
  // Drops records from the end: runs go on at the start of a batch, so that they give the same bits as a run
  // never stopped.
  void truncate(std::size_t count);

  // `row` has F values, or none where the image was unreadable.
  void append(Status status, std::span<const float> row);
  // To disk, at the latest every few seconds (with `now`: at once).
  void flush(bool now = false);

  // Every record in order; `row` is empty where the image was unreadable.
  void for_each(const std::function<void(std::size_t item, std::span<const float> row)>& visit) const;
  // Deletes the file; the log must not be used any more.
  void remove();

private:
  // Closes itself, also when the constructor ends in an error; closing releases the lock.
  class Descriptor {
  public:
    Descriptor() = default;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { close(); }
    void open(const std::filesystem::path& path);
    void close();
    int get() const { return fd_; }

  private:
    int fd_ = -1;
  };

  void start_new();
  void read_existing();
  std::size_t count_intact() const;

  std::filesystem::path path_;
  std::string fingerprint_;
  std::size_t dims_, header_bytes_, record_bytes_;
  Descriptor descriptor_;
  std::size_t count_ = 0;
  std::vector<std::byte> pending_;
  double last_sync_ = 0;
};

} // namespace vlreid
