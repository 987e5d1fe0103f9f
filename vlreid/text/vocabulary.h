// CLIP's byte-level vocabulary: which bytes a token stands for, and which two tokens merge into which third.
// Ids: 0..255 one byte, 256..511 one byte at the end of a word, 512.. the merges in the order in which they
// apply, then the start and the end token. Immutable after construction, thread safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

// The gzip-compressed file that is compiled into the program.
std::span<const std::byte> embedded_vocabulary();

class Vocabulary {
public:
  // `compressed`: gzip; a title line, then lines "left right". REQUIRES (else Error(data)): at least CLIP's
  // 48894 of them.
  explicit Vocabulary(std::span<const std::byte> compressed);

  std::int32_t id_of_byte(std::uint8_t byte, bool ends_word) const {
    return id_of_byte_[byte] + (ends_word ? 256 : 0);
  }
  // The token that two neighbours merge into, or -1. The smaller it is, the earlier the merge applies.
  std::int32_t merged(std::int32_t left, std::int32_t right) const;
  // Bytes of a token, with "</w>" behind those that end a word. REQUIRES: 0 <= id < size().
  std::string_view text_of(std::int32_t id) const {
    const auto i = static_cast<std::size_t>(id);
    return std::string_view(texts_).substr(starts_[i], starts_[i + 1] - starts_[i]);
  }
  std::int32_t size() const { return static_cast<std::int32_t>(starts_.size()) - 1; }

private:
  void add_text(std::string_view text);
  void add_merges(std::string_view lines);
  void add_pair(std::int32_t left, std::int32_t right, std::int32_t merged);

  // Open addressing, a power of two, under half full. Small, because building the table is all cache misses.
  struct Pair {
    std::uint16_t left = kNone;
    std::uint16_t right = kNone;
    std::uint16_t merged = kNone;
  };
  static constexpr std::uint16_t kNone = 0xffff; // no id is that large
  static constexpr std::size_t kSlots = 1u << 17;
  static std::size_t slot_of(std::int32_t left, std::int32_t right) {
    const auto key = (static_cast<std::uint64_t>(left) << 32) | static_cast<std::uint32_t>(right);
    return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15u) >> (64 - 17));
  }

  std::array<std::int32_t, 256> id_of_byte_{};
  std::string texts_;
  std::vector<std::uint32_t> starts_ = {0}; // of each token in texts_, and the end
  std::vector<Pair> pairs_;
};

} // namespace vlreid
