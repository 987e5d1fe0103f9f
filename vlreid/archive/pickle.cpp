#include "vlreid/archive/pickle.h"

#include "vlreid/archive/bytes.h"
#include "vlreid/archive/pickle_names.h"
#include "vlreid/base/error.h"

#include <bit>
#include <fmt/format.h>
#include <unordered_map>

namespace vlreid {
namespace {

// A checkpoint with optimiser state has some ten thousand nodes.
constexpr std::uint64_t kMaxPickleBytes = 256u << 20;
constexpr std::size_t kMaxNodes = 2'000'000;
constexpr std::size_t kMaxItems = 16'000'000; // of all containers together; one value may stand in many
constexpr std::size_t kMaxMarks = 1000;

using Kind = PickleNode::Kind;

// The opcodes that we know, by the letters of Python's pickletools.
enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersistent = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kEmptyList = ']',
  kDict = 'd',
  kEmptyDict = '}',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kNewObject = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  kByteArray8 = 0x96,
};

class Machine {
public:
  Machine(std::span<const std::byte> bytes, const std::string& place)
      : in_(bytes.first(std::min<std::size_t>(bytes.size(), kMaxPickleBytes)), place, "pickle"),
        place_(place) {}

  Pickle run() {
    if (in_.number<std::uint8_t>() != kProto) in_.refuse("no protocol number", "a pickle of protocol 2 to 5");
    if (const int protocol = in_.number<std::uint8_t>(); protocol < 2 || protocol > 5)
      in_.refuse(fmt::format("protocol {}", protocol), "2 to 5");
    while (true) {
      const auto opcode = in_.number<std::uint8_t>();
      if (opcode == kStop) break;
      if (!scalar(opcode) && !container(opcode) && !memory(opcode) && !call(opcode))
        in_.refuse(fmt::format("opcode 0x{:02x}", opcode), "an opcode that builds plain values");
    }
    const PickleNode* root = pop();
    return {std::move(nodes_), root, in_.position()};
  }

private:
  bool scalar(std::uint8_t opcode) {
    switch (opcode) {
    case kNone:
      push({.kind = Kind::none});
      return true;
    case kNewTrue:
      push({.kind = Kind::boolean, .integer = 1});
      return true;
    case kNewFalse:
      push({.kind = Kind::boolean});
      return true;
    case kBinInt:
      push_integer(in_.number<std::int32_t>());
      return true;
    case kBinInt1:
      push_integer(in_.number<std::uint8_t>());
      return true;
    case kBinInt2:
      push_integer(in_.number<std::uint16_t>());
      return true;
    case kLong1:
      push_long(in_.number<std::uint8_t>());
      return true;
    case kLong4:
      push_long(in_.number<std::uint32_t>());
      return true;
    case kBinFloat:
      push({.kind = Kind::real, .real = big_endian_double()});
      return true;
    case kShortBinUnicode:
      push_text(Kind::text, in_.number<std::uint8_t>());
      return true;
    case kBinUnicode:
      push_text(Kind::text, in_.number<std::uint32_t>());
      return true;
    case kBinUnicode8:
      push_text(Kind::text, in_.number<std::uint64_t>());
      return true;
    // Python 2 wrote its texts as strings of bytes.
    case kShortBinString:
      push_text(Kind::text, in_.number<std::uint8_t>());
      return true;
    case kBinString:
      push_text(Kind::text, in_.number<std::uint32_t>());
      return true;
    case kShortBinBytes:
      push_text(Kind::bytes, in_.number<std::uint8_t>());
      return true;
    case kBinBytes:
      push_text(Kind::bytes, in_.number<std::uint32_t>());
      return true;
    case kBinBytes8:
      push_text(Kind::bytes, in_.number<std::uint64_t>());
      return true;
    case kByteArray8:
      push_text(Kind::bytes, in_.number<std::uint64_t>());
      return true;
    default:
      return false;
    }
  }

  bool container(std::uint8_t opcode) {
    switch (opcode) {
    case kMark:
      push_mark();
      return true;
    case kEmptyTuple:
      push({.kind = Kind::tuple});
      return true;
    case kEmptyList:
      push({.kind = Kind::list});
      return true;
    case kEmptyDict:
      push({.kind = Kind::dict});
      return true;
    case kEmptySet:
      push({.kind = Kind::set});
      return true;
    case kTuple1:
      push_items(Kind::tuple, pop_last(1));
      return true;
    case kTuple2:
      push_items(Kind::tuple, pop_last(2));
      return true;
    case kTuple3:
      push_items(Kind::tuple, pop_last(3));
      return true;
    case kTuple:
      push_items(Kind::tuple, pop_to_mark());
      return true;
    case kList:
      push_items(Kind::list, pop_to_mark());
      return true;
    case kFrozenSet:
      push_items(Kind::set, pop_to_mark());
      return true;
    case kDict:
      push_items(Kind::dict, even(pop_to_mark()));
      return true;
    case kAppend:
      extend(Kind::list, pop_last(1));
      return true;
    case kAppends:
      extend(Kind::list, pop_to_mark());
      return true;
    case kAddItems:
      extend(Kind::set, pop_to_mark());
      return true;
    case kSetItem:
      extend(Kind::dict, pop_last(2));
      return true;
    case kSetItems:
      extend(Kind::dict, even(pop_to_mark()));
      return true;
    default:
      return false;
    }
  }

  bool memory(std::uint8_t opcode) {
    switch (opcode) {
    case kFrame:
      in_.number<std::uint64_t>();
      return true; // a hint for buffered reading
    case kPop:
      pop();
      return true;
    case kPopMark:
      pop_to_mark();
      return true;
    case kDup:
      stack_.push_back(top());
      return true;
    case kMemoize:
      memo_[static_cast<std::uint32_t>(memo_.size())] = top();
      return true;
    case kBinPut:
      memo_[in_.number<std::uint8_t>()] = top();
      return true;
    case kLongBinPut:
      memo_[in_.number<std::uint32_t>()] = top();
      return true;
    case kBinGet:
      recall(in_.number<std::uint8_t>());
      return true;
    case kLongBinGet:
      recall(in_.number<std::uint32_t>());
      return true;
    default:
      return false;
    }
  }

  bool call(std::uint8_t opcode) {
    switch (opcode) {
    case kGlobal: {
      const std::string module(in_.line());
      push_name(module, in_.line());
      return true;
    }
    case kStackGlobal: {
      const std::vector<PickleNode*> names = pop_last(2);
      if (!names[0]->is(Kind::text) || !names[1]->is(Kind::text))
        in_.refuse("a name that is no text", "a text");
      push_name(names[0]->text, names[1]->text);
      return true;
    }
    case kReduce:
      make(Kind::call);
      return true;
    case kNewObject:
      make(Kind::object);
      return true;
    case kBuild:
      build();
      return true;
    case kBinPersistent:
      push_items(Kind::persistent, pop_last(1));
      return true;
    default:
      return false;
    }
  }

  void push(PickleNode node) {
    if (nodes_.size() == kMaxNodes) in_.refuse(fmt::format("more than {} values", kMaxNodes), "a checkpoint");
    stack_.push_back(&nodes_.emplace_back(std::move(node)));
  }

  void push_integer(std::int64_t value) { push({.kind = Kind::integer, .integer = value}); }

  void push_text(Kind kind, std::uint64_t size) { push({.kind = kind, .text = std::string(in_.text(size))}); }

  // Little endian two's complement of any length.
  void push_long(std::uint32_t size) {
    if (size > sizeof(std::int64_t)) return push_text(Kind::bytes, size);
    const std::span<const std::byte> bytes = in_.take(size);
    std::uint64_t value = size > 0 && (bytes.back() & std::byte{0x80}) != std::byte{} ? ~std::uint64_t{0} : 0;
    for (std::size_t i = size; i-- > 0;)
      value = (value << 8) | static_cast<std::uint64_t>(bytes[i]);
    push_integer(static_cast<std::int64_t>(value));
  }

  double big_endian_double() { return std::bit_cast<double>(__builtin_bswap64(in_.number<std::uint64_t>())); }

  void charge(std::size_t items) {
    items_ += items;
    if (items_ > kMaxItems) in_.refuse(fmt::format("more than {} items", kMaxItems), "a checkpoint");
  }

  void push_items(Kind kind, const std::vector<PickleNode*>& items) {
    charge(items.size());
    push({.kind = kind, .items = {items.begin(), items.end()}});
  }

  void push_mark() {
    if (marks_.size() == kMaxMarks)
      in_.refuse(fmt::format("more than {} nested marks", kMaxMarks), "a checkpoint");
    marks_.push_back(stack_.size());
  }

  void push_name(std::string_view module, std::string_view name) {
    std::string full = fmt::format("{}.{}", module, name);
    VLREID_REQUIRE(
        is_harmless_name(full), ErrorKind::data, place_, fmt::format("its pickle wants to call '{}'", full),
        "tensors and plain values only, since a pickle that calls other things can run any program",
        "if you trust the file, load it in Python and save model.state_dict() or a safetensors file");
    push({.kind = Kind::name, .text = std::move(full)});
  }

  // The values above the last mark, or above nothing, belong to nobody else.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleNode* top() {
    if (stack_.size() <= floor()) in_.refuse("an empty stack", "a value");
    return stack_.back();
  }

  PickleNode* pop() {
    PickleNode* node = top();
    stack_.pop_back();
    return node;
  }

  std::vector<PickleNode*> pop_last(std::size_t count) {
    if (stack_.size() < floor() + count) in_.refuse("an empty stack", fmt::format("{} values", count));
    std::vector<PickleNode*> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  std::vector<PickleNode*> pop_to_mark() {
    if (marks_.empty()) in_.refuse("no mark", "one");
    std::vector<PickleNode*> items = pop_last(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  std::vector<PickleNode*> even(std::vector<PickleNode*> items) {
    if (items.size() % 2 != 0) in_.refuse("a key without a value", "pairs");
    return items;
  }

  void extend(Kind kind, const std::vector<PickleNode*>& items) {
    charge(items.size());
    PickleNode* container = top();
    if (!container->is(kind)) in_.refuse("items for something else", "a list, set or dictionary");
    container->items.insert(container->items.end(), items.begin(), items.end());
  }

  void recall(std::uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) in_.refuse(fmt::format("no memo {}", key), "one that was put");
    stack_.push_back(found->second);
  }

  void make(Kind kind) {
    const std::vector<PickleNode*> parts = pop_last(2);
    if (!parts[0]->is(Kind::name) || !parts[1]->is(Kind::tuple))
      in_.refuse("a call of a value", "a name and a tuple");
    charge(parts[1]->items.size());
    const bool is_dict =
        parts[0]->text == "collections.OrderedDict" || parts[0]->text == "collections.defaultdict";
    if (is_dict)
      push({.kind = Kind::dict});
    else
      push({.kind = kind, .text = parts[0]->text, .items = parts[1]->items});
  }

  void build() {
    const PickleNode* state = pop();
    PickleNode* target = top();
    if (target->state != nullptr) in_.refuse("a second state for one object", "one");
    target->state = state;
  }

  ByteReader in_;
  std::string place_;
  std::deque<PickleNode> nodes_;
  std::vector<PickleNode*> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, PickleNode*> memo_;
  std::size_t items_ = 0;
};

} // namespace

Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& place) {
  return Machine(bytes, place).run();
}

const PickleNode* find_key(const PickleNode& dict, std::string_view key) {
  if (!dict.is(Kind::dict)) return nullptr;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2)
    if (dict.items[i]->is(Kind::text) && dict.items[i]->text == key) return dict.items[i + 1];
  return nullptr;
}

} // namespace vlreid
