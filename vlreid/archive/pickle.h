// The pickles inside weights files, read as data. Python's pickle is a program that may call anything; this
// reader knows the opcodes of protocols 2 to 5 that build plain values, and records every call as a node
// instead of making it. Calls of anything but the allow-list (tensor rebuilding, storages, containers, numpy
// scalars, TorchScript modules) are refused by name: such a file holds more than weights. Sizes, depth of
// marks and the number of nodes are limited. Thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vlreid {

// Values may be shared, and lists and dictionaries may even contain themselves: who walks them must count.
struct PickleNode {
  enum class Kind {
    none,
    boolean,    // integer
    integer,    // integer; more than 64 bits arrive as bytes
    real,       // real
    text,       // text
    bytes,      // text
    tuple,      // items
    list,       // items
    set,        // items
    dict,       // items: key, value, key, value, ...; also collections.OrderedDict
    name,       // text: "torch.FloatStorage"
    call,       // text(items...), not made
    object,     // an instance of the class `text`; its attributes are the dict in state
    persistent, // items[0]: what torch says about a storage
  };

  Kind kind = Kind::none;
  std::int64_t integer = 0;
  double real = 0;
  std::string text = {};
  std::vector<const PickleNode*> items = {};
  const PickleNode* state = nullptr; // what __setstate__ would have been given

  bool is(Kind other) const { return kind == other; }
  bool is_call(std::string_view function) const { return kind == Kind::call && text == function; }
};

class Pickle {
public:
  Pickle(std::deque<PickleNode> nodes, const PickleNode* root, std::uint64_t size)
      : nodes_(std::move(nodes)), root_(root), size_(size) {}

  const PickleNode& root() const { return *root_; }
  const std::deque<PickleNode>& nodes() const { return nodes_; }
  // Bytes up to and including its end opcode.
  std::uint64_t size() const { return size_; }

private:
  std::deque<PickleNode> nodes_; // owns every node, so that shared and cyclic values need no counting
  const PickleNode* root_;
  std::uint64_t size_;
};

// Reads the pickle at the beginning of `bytes`; `place` goes into messages.
Pickle parse_pickle(std::span<const std::byte> bytes, const std::string& place);

// The value of a text key of a dict, or nullptr.
const PickleNode* find_key(const PickleNode& dict, std::string_view key);

} // namespace vlreid
