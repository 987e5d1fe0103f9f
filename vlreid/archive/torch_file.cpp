#include "vlreid/archive/torch_file.h"

#include "vlreid/archive/pickle.h"
#include "vlreid/archive/torch_tensors.h"
#include "vlreid/archive/zip.h"
#include "vlreid/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <unordered_map>

namespace vlreid {
namespace {

// A pickle of the number 0x1950a86a20f9469cfc6c, with which every legacy file begins.
constexpr std::string_view kLegacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The one folder of the archive that has a data.pkl directly below it.
std::string find_root(const ZipReader& zip, const std::string& place) {
  for (const ZipEntry& entry : zip.entries()) {
    const std::size_t slash = entry.name.find('/');
    if (slash != std::string::npos && entry.name.substr(slash) == "/data.pkl")
      return entry.name.substr(0, slash);
  }
  fail(ErrorKind::data, {.place = place,
                         .found = "a zip archive without data.pkl",
                         .expected = "what torch.save or torch.jit.save writes",
                         .remedy = "name a weights file; unpack it first if it lies inside this archive"});
}

TorchFile read_zip(std::span<const std::byte> bytes, const std::string& place) {
  const ZipReader zip(bytes, place);
  const std::string root = find_root(zip, place);
  if (const ZipEntry* order = zip.find(root + "/byteorder"))
    VLREID_REQUIRE(as_text(zip.read(*order).view) == "little", ErrorKind::data, place,
                   "numbers in another byte order", "little endian", "save it again on an ordinary machine");
  TorchFile file;
  file.is_torchscript = zip.find(root + "/constants.pkl") != nullptr;
  std::unordered_map<std::string, Bytes> storages; // tensors may share one: each is read and checked once
  const auto lookup = [&](const StorageReference& reference) {
    const auto known = storages.find(reference.key);
    if (known != storages.end()) return known->second;
    const ZipEntry* entry = zip.find(root + "/data/" + reference.key);
    VLREID_REQUIRE(entry != nullptr, ErrorKind::data, place, "storage '" + reference.key + "' is missing",
                   "a file in the archive for every storage", "the file is damaged; get it again");
    return storages.emplace(reference.key, zip.read(*entry)).first->second;
  };
  const Bytes data = zip.read(*zip.find(root + "/data.pkl"));
  const Pickle pickle = parse_pickle(data.view, place);
  collect_tensors(pickle.root(), lookup, place, file);
  return file;
}

std::map<std::string, StorageReference> storages_of(const Pickle& pickle, const std::string& place) {
  std::map<std::string, StorageReference> storages;
  for (const PickleNode& node : pickle.nodes()) {
    if (!node.is(PickleNode::Kind::persistent)) continue;
    StorageReference reference = read_storage_reference(node, place);
    storages.emplace(reference.key, std::move(reference));
  }
  return storages;
}

TorchFile read_legacy(std::span<const std::byte> bytes, const std::string& place) {
  const auto next_pickle = [&] {
    Pickle pickle = parse_pickle(bytes, place);
    bytes = bytes.subspan(static_cast<std::size_t>(pickle.size()));
    return pickle;
  };
  for (int i = 0; i < 3; ++i)
    next_pickle(); // magic, protocol, system
  const Pickle values = next_pickle();
  const Pickle keys = next_pickle();
  const std::map<std::string, StorageReference> references = storages_of(values, place);
  ByteReader reader(bytes, place, "storages");
  std::unordered_map<std::string, Bytes> storages;
  for (const PickleNode* key : keys.root().items) {
    const auto found = references.find(key->text);
    if (found == references.end())
      reader.refuse("a storage that no tensor has", "the storages of the tensors");
    const auto count = reader.number<std::uint64_t>();
    if (count != static_cast<std::uint64_t>(found->second.count))
      reader.refuse(fmt::format("storage '{}' of {} elements", key->text, count),
                    fmt::format("{}", found->second.count));
    storages[key->text] = {.view = reader.take(count * size_of(found->second.dtype))};
  }
  const auto lookup = [&](const StorageReference& reference) {
    const auto found = storages.find(reference.key);
    if (found == storages.end())
      reader.refuse("storage '" + reference.key + "' is missing", "one for every tensor");
    return found->second;
  };
  TorchFile file;
  file.is_legacy = true;
  collect_tensors(values.root(), lookup, place, file);
  return file;
}

} // namespace

bool looks_like_zip(std::span<const std::byte> file) {
  return as_text(file).starts_with("PK\x03\x04");
}

bool looks_like_legacy_torch(std::span<const std::byte> file) {
  return as_text(file).starts_with(kLegacyMagic);
}

TorchFile read_torch_file(std::span<const std::byte> file, const std::string& place) {
  if (looks_like_zip(file)) return read_zip(file, place);
  VLREID_REQUIRE(looks_like_legacy_torch(file), ErrorKind::data, place,
                 "neither a zip archive nor a legacy torch file", "what torch.save writes",
                 "name a weights file");
  return read_legacy(file, place);
}

} // namespace vlreid
