// Bytes from outside: a reader that never passes the end, and bytes together with what keeps them alive.
// Little endian, as the formats and every machine we build for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace vlreid {

// A view and its owner; the owner is empty when the bytes belong to the file that was handed in.
struct Bytes {
  std::span<const std::byte> view;
  std::shared_ptr<const void> owner = {};
};

class ByteReader {
public:
  // `place` and `what` ("pickle") go into the message of the data error that every read past the end is.
  ByteReader(std::span<const std::byte> bytes, std::string place, std::string what)
      : bytes_(bytes), place_(std::move(place)), what_(std::move(what)) {}

  template <typename Integer>
  Integer number() {
    return load<Integer>(take(sizeof(Integer)));
  }
  std::span<const std::byte> take(std::uint64_t count);
  std::string_view text(std::uint64_t count);
  // A reader of the next `count` bytes alone.
  ByteReader part(std::uint64_t count) { return {take(count), place_, what_}; }
  // Up to the next newline, which is passed over.
  std::string_view line();

  void seek(std::uint64_t position);
  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return bytes_.size() - position_; }

  // A data error at the current place.
  [[noreturn]] void refuse(std::string found, std::string expected) const;

  template <typename Integer>
  static Integer load(std::span<const std::byte> bytes) {
    Integer value = 0;
    for (std::size_t i = sizeof(Integer); i-- > 0;)
      value = static_cast<Integer>((static_cast<std::uint64_t>(value) << 8) |
                                   static_cast<std::uint64_t>(bytes[i]));
    return value;
  }

private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  std::string place_;
  std::string what_;
};

} // namespace vlreid
