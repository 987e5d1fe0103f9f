#include "vlreid/base/error.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace vlreid {
namespace {

// Bytes from outside must not move the cursor or forge a second line.
std::string escape_control_characters(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

std::string message_of(const Fault& fault) {
  std::string text = fault.place;
  const char* separator = text.empty() ? "" : ": ";
  for (const std::string* part : {&fault.found, &fault.expected, &fault.remedy}) {
    if (part->empty()) continue;
    text += separator + *part;
    separator = "; ";
  }
  return escape_control_characters(text);
}

ErrorKind kind_of_errno(int error_number) {
  switch (error_number) {
  case ENOENT:
  case ENOTDIR:
    return ErrorKind::missing;
  case EACCES:
  case EPERM:
  case EROFS:
    return ErrorKind::permission;
  default:
    return ErrorKind::io;
  }
}

} // namespace

Error::Error(ErrorKind kind, Fault fault)
    : kind_(kind), fault_(std::move(fault)), message_(message_of(fault_)) {}

void fail(ErrorKind kind, Fault fault) {
  throw Error(kind, std::move(fault));
}

void fail_errno(int error_number, std::string place, std::string_view doing) {
  const char* remedy = error_number == ENOSPC ? "free some space or choose another disk" : "";
  fail(kind_of_errno(error_number), {.place = std::move(place),
                                     .found = fmt::format("{}: {}", doing, std::strerror(error_number)),
                                     .remedy = remedy});
}

void assertion_failed(const char* expression, const char* file, int line) {
  fail(ErrorKind::internal, {.place = fmt::format("{}:{}", file, line),
                             .found = fmt::format("'{}' does not hold", expression),
                             .remedy = "this is a bug of vlreid; please report it"});
}

} // namespace vlreid
