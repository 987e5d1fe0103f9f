#include "vlreid/archive/bytes.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace vlreid {

std::span<const std::byte> ByteReader::take(std::uint64_t count) {
  if (count > left()) refuse(fmt::format("it ends {} bytes too early", count - left()), "a whole file");
  const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
  position_ += static_cast<std::size_t>(count);
  return taken;
}

std::string_view ByteReader::text(std::uint64_t count) {
  const auto taken = take(count);
  return {reinterpret_cast<const char*>(taken.data()), taken.size()};
}

std::string_view ByteReader::line() {
  const auto rest = bytes_.subspan(position_);
  const auto end = std::ranges::find(rest, std::byte{'\n'});
  if (end == rest.end()) refuse("a line without an end", "a newline");
  const std::string_view found = text(static_cast<std::uint64_t>(end - rest.begin()));
  ++position_;
  return found;
}

void ByteReader::seek(std::uint64_t position) {
  if (position > bytes_.size())
    refuse(fmt::format("it points to byte {} of {}", position, bytes_.size()), "a place inside the file");
  position_ = static_cast<std::size_t>(position);
}

void ByteReader::refuse(std::string found, std::string expected) const {
  fail(ErrorKind::data, {.place = place_,
                         .found = fmt::format("{}, at byte {}: {}", what_, position_, found),
                         .expected = std::move(expected),
                         .remedy = "the file is damaged or not what its name says; get it again"});
}

} // namespace vlreid
