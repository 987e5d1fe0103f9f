#include "vlreid/weights/load.h"

#include "vlreid/archive/safetensors.h"
#include "vlreid/archive/torch_file.h"
#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/weights/element_types.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstring>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <utility>

namespace vlreid {
namespace {

constexpr std::string_view kModulePrefix = "module.";

// Makes tensors over bytes of a file, and copies only where the bytes cannot be used in place.
class TensorMaker {
public:
  explicit TensorMaker(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}

  at::Tensor make(const StoredTensor& stored) {
    const at::ScalarType type = scalar_type_of(stored.dtype);
    const auto count = element_count(stored.shape);
    if (!count || *count == 0) return at::empty(stored.shape, type);
    const std::byte* begin = stored.storage.view.data();
    const bool is_aligned = reinterpret_cast<std::uintptr_t>(begin) % size_of(stored.dtype) == 0;
    if (!is_aligned || type == at::kBool)
      return copy_of(stored.storage, type).as_strided(stored.shape, stored.strides, stored.offset);
    const std::byte* first = begin + stored.offset * static_cast<std::int64_t>(size_of(stored.dtype));
    const auto owners = std::pair(file_, stored.storage.owner);
    return at::from_blob(
        const_cast<std::byte*>(first), stored.shape, stored.strides, [owners](void*) {}, type);
  }

private:
  // The storage as a tensor of its own. A bool of a file may be any byte; in a tensor it must be 0 or 1.
  at::Tensor copy_of(const Bytes& storage, at::ScalarType type) {
    const auto known = copies_.find(storage.view.data());
    if (known != copies_.end()) return known->second;
    const auto element_size = static_cast<std::int64_t>(c10::elementSize(type));
    at::Tensor copy = at::empty({static_cast<std::int64_t>(storage.view.size()) / element_size},
                                type == at::kBool ? at::kByte : type);
    std::memcpy(copy.mutable_data_ptr(), storage.view.data(), storage.view.size());
    return copies_.emplace(storage.view.data(), copy.to(type)).first->second;
  }

  std::shared_ptr<const MappedFile> file_;
  std::map<const std::byte*, at::Tensor> copies_;
};

StoredTensor stored_tensor_of(const TensorEntry& entry) {
  std::vector<std::int64_t> strides(entry.shape.size(), 1);
  for (std::size_t i = entry.shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * entry.shape[i];
  return {.name = entry.name,
          .dtype = entry.dtype,
          .shape = entry.shape,
          .strides = std::move(strides),
          .offset = 0,
          .storage = {.view = entry.bytes}};
}

void add_tensor(WeightsFile& weights, const StoredTensor& stored, TensorMaker& maker) {
  std::string name = stored.name;
  if (name.starts_with(kModulePrefix)) {
    name.erase(0, kModulePrefix.size());
    weights.had_module_prefix = true;
  }
  VLREID_REQUIRE(!weights.state.has(name), ErrorKind::data, weights.path,
                 "tensor '" + name + "' with and without 'module.'", "one of the two",
                 "save the state dict again without the prefix");
  weights.state.add(std::move(name), maker.make(stored));
}

void read_torch(WeightsFile& weights, const std::shared_ptr<const MappedFile>& file) {
  TorchFile content = read_torch_file(file->bytes(), weights.path);
  weights.kind = content.is_torchscript ? WeightsKind::torchscript
                 : content.is_legacy    ? WeightsKind::legacy_pth
                                        : WeightsKind::pth;
  weights.wrapper = std::move(content.wrapper);
  TensorMaker maker(file);
  for (const StoredTensor& stored : content.tensors)
    add_tensor(weights, stored, maker);
}

void read_safetensors(WeightsFile& weights, const std::shared_ptr<const MappedFile>& file) {
  SafetensorsContent content = parse_safetensors(file->bytes(), weights.path);
  weights.kind = WeightsKind::safetensors;
  weights.metadata = std::move(content.metadata);
  TensorMaker maker(file);
  for (const TensorEntry& entry : content.entries)
    add_tensor(weights, stored_tensor_of(entry), maker);
}

// Behind the eight bytes of its length, the header of a safetensors file is a JSON object.
bool looks_like_safetensors(std::span<const std::byte> bytes) {
  return bytes.size() > 8 && bytes[8] == std::byte{'{'};
}

[[noreturn]] void refuse_content(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 24));
  const bool is_pointer = text.starts_with("version https://git-lfs");
  const std::string found = bytes.empty() ? "an empty file"
                            : is_pointer  ? "a Git LFS pointer"
                                          : fmt::format("it begins with '{}'", text);
  fail(ErrorKind::data, {.place = file.path(),
                         .found = found,
                         .expected = "a .pth or .pt file of torch, or a safetensors file",
                         .remedy = is_pointer ? "fetch the file itself with git lfs pull"
                                              : "check that it is a whole weights file"});
}

} // namespace

std::string_view name_of(WeightsKind kind) {
  switch (kind) {
  case WeightsKind::torchscript:
    return "TorchScript archive";
  case WeightsKind::pth:
    return "torch.save file";
  case WeightsKind::legacy_pth:
    return "legacy torch.save file";
  case WeightsKind::safetensors:
    return "safetensors";
  }
  return "";
}

WeightsFile load_weights(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  WeightsFile weights;
  weights.path = file->path();
  if (looks_like_zip(file->bytes()) || looks_like_legacy_torch(file->bytes()))
    read_torch(weights, file);
  else if (looks_like_safetensors(file->bytes()))
    read_safetensors(weights, file);
  else
    refuse_content(*file);
  return weights;
}

} // namespace vlreid
