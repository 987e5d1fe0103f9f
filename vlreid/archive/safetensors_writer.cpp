#include "vlreid/archive/writers.h"

#include "vlreid/base/error.h"

#include <array>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace vlreid {
namespace {

constexpr std::size_t kAlignment = 8; // of the first tensor

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump();
}

} // namespace

std::uint64_t TensorPlan::size_bytes() const {
  const auto count = element_count(shape, size_of(dtype));
  VLREID_ASSERT(count.has_value());
  return static_cast<std::uint64_t>(*count) * size_of(dtype);
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorPlan> tensors,
                                     std::map<std::string, std::string> metadata)
    : file_(path), tensors_(std::move(tensors)), metadata_(std::move(metadata)) {
  std::string text = header();
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  header_size_ = text.size();
  const std::uint64_t length = header_size_;
  file_.write(std::as_bytes(std::span(&length, 1)));
  file_.write(text);
  next_tensor();
}

// The offsets follow from the shapes; ending a tensor early only makes the text shorter, so that it fits in
// its place.
std::string SafetensorsWriter::header() const {
  std::string text;
  if (!metadata_.empty()) text = "\"__metadata__\":" + nlohmann::json(metadata_).dump();
  std::uint64_t offset = 0;
  for (const TensorPlan& tensor : tensors_) {
    const std::uint64_t end = offset + tensor.size_bytes();
    text += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        text.empty() ? "" : ",", quoted(tensor.name), safetensors_name(tensor.dtype),
                        fmt::join(tensor.shape, ","), offset, end);
    offset = end;
  }
  return "{" + text + "}";
}

void SafetensorsWriter::append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  VLREID_ASSERT(current_ < tensors_.size() && bytes.size() <= tensors_[current_].size_bytes() - written_);
  file_.write(bytes);
  written_ += bytes.size();
  next_tensor();
}

// Passes over full tensors, so that empty ones need no append.
void SafetensorsWriter::next_tensor() {
  while (current_ < tensors_.size() && written_ == tensors_[current_].size_bytes()) {
    ++current_;
    written_ = 0;
  }
}

void SafetensorsWriter::end_tensor() {
  VLREID_ASSERT(current_ < tensors_.size() && !tensors_[current_].shape.empty());
  TensorPlan& tensor = tensors_[current_];
  const std::uint64_t row_bytes = tensor.size_bytes() / static_cast<std::uint64_t>(tensor.shape[0]);
  VLREID_ASSERT(written_ % row_bytes == 0);
  tensor.shape[0] = static_cast<std::int64_t>(written_ / row_bytes);
  next_tensor();
}

void SafetensorsWriter::commit() {
  VLREID_ASSERT(current_ == tensors_.size());
  std::string text = header();
  text.append(header_size_ - text.size(), ' ');
  file_.write_at(sizeof(std::uint64_t), std::as_bytes(std::span(text)));
  file_.commit();
}

} // namespace vlreid
