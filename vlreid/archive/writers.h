// Writers of tensor files that stream: what the file will hold is said up front, then the bytes are handed
// over tensor after tensor in any portions, so that a million rows need no memory. The target appears only at
// commit(), whole.
//
//     SafetensorsWriter writer(path, {{"features", Dtype::float32, {rows, 1280}}});
//     writer.append(span_of<float>(batch));   // again and again
//     writer.commit();
#pragma once

#include "vlreid/archive/dtype.h"
#include "vlreid/archive/zip.h"
#include "vlreid/base/files.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

struct TensorPlan {
  std::string name;
  Dtype dtype{};
  std::vector<std::int64_t> shape;

  // REQUIRES: a shape that element_count() accepts.
  std::uint64_t size_bytes() const;
};

class SafetensorsWriter {
public:
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorPlan> tensors,
                    std::map<std::string, std::string> metadata = {});

  // The next bytes, row-major. Never more than the current tensor lacks; when it is full the next one begins.
  void append(std::span<const std::byte> bytes);
  template <typename T>
  void append(std::span<const T> values) {
    append(std::as_bytes(values));
  }
  // The current tensor ends here: its first side becomes the number of rows written (whole rows only).
  void end_tensor();
  // REQUIRES: every tensor is full or ended.
  void commit();

private:
  std::string header() const;
  void next_tensor();

  AtomicFile file_;
  std::vector<TensorPlan> tensors_;
  std::map<std::string, std::string> metadata_;
  std::size_t header_size_ = 0;
  std::size_t current_ = 0;
  std::uint64_t written_ = 0; // of the current tensor
};

// A flat state dict as torch.save writes it: an OrderedDict of contiguous tensors, which
// torch.load(weights_only=True) reads.
class TorchFileWriter {
public:
  TorchFileWriter(const std::filesystem::path& path, std::vector<TensorPlan> tensors);

  // The whole bytes of the next tensor.
  void add(std::span<const std::byte> bytes);
  // REQUIRES: every tensor was added.
  void commit();

private:
  AtomicFile file_;
  ZipWriter zip_;
  std::vector<TensorPlan> tensors_;
  std::size_t current_ = 0;
};

} // namespace vlreid
