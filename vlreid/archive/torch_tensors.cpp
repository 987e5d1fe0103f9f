#include "vlreid/archive/torch_tensors.h"

#include "vlreid/archive/safetensors.h" // shape_text
#include "vlreid/base/error.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unordered_set>
#include <utility>

namespace vlreid {
namespace {

using Kind = PickleNode::Kind;

constexpr std::array<std::string_view, 3> kWrappers{"state_dict", "model_state_dict", "model"};
constexpr std::size_t kMaxRank = 32;
constexpr int kMaxModuleDepth = 64;
constexpr std::size_t kMaxModuleVisits =
    1'000'000; // of attributes, counted again for a module that is shared
constexpr std::size_t kMaxNameLength = 1000;
// A view may repeat elements (stride 0); this bounds what a copy of a tiny storage can become.
constexpr std::int64_t kMaxRepeatedElements = 1 << 24;

[[noreturn]] void refuse(const std::string& place, std::string found, std::string expected) {
  fail(ErrorKind::data,
       {.place = place,
        .found = std::move(found),
        .expected = std::move(expected),
        .remedy = "the file is damaged or holds something else; save model.state_dict() in Python"});
}

std::optional<Dtype> dtype_of_storage(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Dtype>, 10> kStorages{
      {{"torch.DoubleStorage", Dtype::float64},
       {"torch.FloatStorage", Dtype::float32},
       {"torch.HalfStorage", Dtype::float16},
       {"torch.BFloat16Storage", Dtype::bfloat16},
       {"torch.LongStorage", Dtype::int64},
       {"torch.IntStorage", Dtype::int32},
       {"torch.ShortStorage", Dtype::int16},
       {"torch.CharStorage", Dtype::int8},
       {"torch.ByteStorage", Dtype::uint8},
       {"torch.BoolStorage", Dtype::boolean}}};
  for (const auto& [storage, dtype] : kStorages)
    if (storage == name) return dtype;
  return std::nullopt;
}

bool is_tensor(const PickleNode& node) {
  return node.is_call("torch._utils._rebuild_tensor_v2") || node.is_call("torch._utils._rebuild_tensor") ||
         node.is_call("torch._utils._rebuild_parameter");
}

class Collector {
public:
  Collector(const StorageLookup& lookup, const std::string& place, TorchFile& file)
      : lookup_(lookup), place_(place), file_(file) {}

  void state_dict(const PickleNode& root) {
    const PickleNode& dict = unwrap(root);
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleNode& key = *dict.items[i];
      const PickleNode& value = *dict.items[i + 1];
      if (!is_tensor(value)) continue; // an epoch number, a configuration
      if (!key.is(Kind::text)) refuse(place_, "a tensor whose name is no text", "names");
      add(key.text, value);
    }
    if (file_.tensors.empty())
      refuse(place_, "no tensors", fmt::format("a state dict, flat or under {}", fmt::join(kWrappers, ", ")));
  }

  // Own tensors of a module before those of its parts, as torch orders a state dict.
  void module(const PickleNode& object, const std::string& prefix, int depth) {
    if (depth > kMaxModuleDepth || ++visits_ > kMaxModuleVisits)
      refuse(place_, "modules nested without end", "a model");
    if (object.state == nullptr || !object.state->is(Kind::dict)) return;
    const auto& items = object.state->items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i]->is(Kind::text) && is_tensor(*items[i + 1])) add(prefix + items[i]->text, *items[i + 1]);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i]->is(Kind::text) && items[i + 1]->is(Kind::object))
        module(*items[i + 1], prefix + items[i]->text + ".", depth + 1);
  }

private:
  const PickleNode& unwrap(const PickleNode& root) {
    if (!root.is(Kind::dict)) refuse(place_, "a pickle whose value is no dictionary", "a state dict");
    for (const std::string_view wrapper : kWrappers) {
      const PickleNode* inner = find_key(root, wrapper);
      if (inner == nullptr || !inner->is(Kind::dict)) continue;
      file_.wrapper = wrapper;
      return *inner;
    }
    return root;
  }

  void add(const std::string& name, const PickleNode& value) {
    if (name.size() > kMaxNameLength)
      refuse(place_, fmt::format("a name of {} letters", name.size()), "a name");
    if (!names_.insert(name).second) refuse(place_, "tensor '" + name + "' twice", "every name once");
    StoredTensor tensor = read_tensor(name, value);
    require_inside(tensor);
    file_.tensors.push_back(std::move(tensor));
  }

  StoredTensor read_tensor(const std::string& name, const PickleNode& value) {
    const PickleNode* call = &value;
    if (call->is_call("torch._utils._rebuild_parameter") && !call->items.empty()) call = call->items[0];
    const bool is_whole = is_tensor(*call) && call->items.size() >= 4 &&
                          call->items[0]->is(Kind::persistent) && call->items[1]->is(Kind::integer);
    if (!is_whole)
      refuse(place_, "tensor '" + name + "' is not built from a storage", "storage, offset, sides, strides");
    const StorageReference reference = read_storage_reference(*call->items[0], place_);
    StoredTensor tensor{.name = name,
                        .dtype = reference.dtype,
                        .shape = integers(name, *call->items[2]),
                        .strides = integers(name, *call->items[3]),
                        .offset = call->items[1]->integer,
                        .storage = lookup_(reference)};
    const auto expected = static_cast<std::uint64_t>(reference.count) * size_of(reference.dtype);
    if (tensor.storage.view.size() != expected)
      refuse(
          place_,
          fmt::format("storage '{}' of '{}' has {} bytes", reference.key, name, tensor.storage.view.size()),
          fmt::format("{} bytes for {} elements of {}", expected, reference.count, name_of(reference.dtype)));
    return tensor;
  }

  std::vector<std::int64_t> integers(const std::string& name, const PickleNode& node) {
    const PickleNode* list = &node;
    if (list->is_call("torch.Size") && list->items.size() == 1) list = list->items[0];
    std::vector<std::int64_t> numbers;
    for (const PickleNode* item : list->items) {
      if (!item->is(Kind::integer) || item->integer < 0 || numbers.size() == kMaxRank) break;
      numbers.push_back(item->integer);
    }
    const bool is_list = list->is(Kind::tuple) || list->is(Kind::list);
    if (!is_list || numbers.size() != list->items.size())
      refuse(place_, "tensor '" + name + "' has a shape or strides that make no sense",
             "numbers that are not negative");
    return numbers;
  }

  // The last element that the strides reach must be an element of the storage.
  void require_inside(const StoredTensor& tensor) {
    const auto stored = static_cast<std::int64_t>(tensor.storage.view.size() / size_of(tensor.dtype));
    const auto count = element_count(tensor.shape, size_of(tensor.dtype));
    std::int64_t last = tensor.offset;
    bool is_inside = count && tensor.strides.size() == tensor.shape.size() && tensor.offset >= 0;
    for (std::size_t i = 0; is_inside && i < tensor.shape.size(); ++i) {
      std::int64_t reach = 0;
      is_inside = !__builtin_mul_overflow(std::max<std::int64_t>(tensor.shape[i], 1) - 1, tensor.strides[i],
                                          &reach) &&
                  !__builtin_add_overflow(last, reach, &last);
    }
    if (is_inside) is_inside = *count == 0 ? tensor.offset <= stored : last < stored;
    if (is_inside) is_inside = *count <= std::max(stored, kMaxRepeatedElements);
    if (!is_inside)
      refuse(place_,
             fmt::format("tensor '{}' {} with strides {} at {}", tensor.name, shape_text(tensor.shape),
                         shape_text(tensor.strides), tensor.offset),
             fmt::format("a part of its storage of {} elements", stored));
  }

  const StorageLookup& lookup_;
  const std::string& place_;
  TorchFile& file_;
  std::unordered_set<std::string> names_;
  std::size_t visits_ = 0;
};

} // namespace

StorageReference read_storage_reference(const PickleNode& node, const std::string& place) {
  const PickleNode& tuple = node.items.empty() ? node : *node.items[0];
  const auto& items = tuple.items;
  const bool is_storage = tuple.is(Kind::tuple) && items.size() >= 5 && items[0]->is(Kind::text) &&
                          items[0]->text == "storage" && items[1]->is(Kind::name) &&
                          items[2]->is(Kind::text) && items[4]->is(Kind::integer);
  if (!is_storage)
    refuse(place, "a reference to something that is no storage", "('storage', type, key, device, count)");
  const auto dtype = dtype_of_storage(items[1]->text);
  if (!dtype) refuse(place, "a storage of type '" + items[1]->text + "'", "floats, integers or bool");
  constexpr std::int64_t kMaxElements = std::int64_t{1} << 48;
  const std::int64_t count = items[4]->integer;
  if (count < 0 || count > kMaxElements)
    refuse(place, fmt::format("a storage of {} elements", count), "a possible size");
  if (items.size() > 5 && !items[5]->is(Kind::none))
    refuse(place, "a storage that is part of another", "whole storages");
  return {.dtype = *dtype, .key = items[2]->text, .count = count};
}

void collect_tensors(const PickleNode& root, const StorageLookup& lookup, const std::string& place,
                     TorchFile& file) {
  Collector collector(lookup, place, file);
  if (root.is(Kind::object))
    collector.module(root, "", 0);
  else
    collector.state_dict(root);
  if (file.tensors.empty()) refuse(place, "no tensors", "a model");
}

} // namespace vlreid
