// The one exception of the project. An error says whose fault it is (ErrorKind, which is also the exit code)
// and reads as one line:
//
//     <place>: <what was found>; <what was expected>; <what to do>
//
// Thrown anywhere, caught in three places only: main (stderr and exit code), the request handler (JSON), and
// the loader worker (carried to the consumer and rethrown). What is expected to happen (a name that is not
// there, an unreadable image in a big folder) is a return value instead. Immutable after construction, so
// safe to carry between threads.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace vlreid {

// Numbers from sysexits.h where it has one; they are the program's exit codes.
enum class ErrorKind {
  usage = 64,         // a flag or an argument
  data = 65,          // the content of a file of the user's
  missing = 66,       // a file or folder that is not there
  internal = 70,      // our bug
  cannot_create = 73, // an output that cannot be made
  io = 74,            // reading or writing failed, disk full
  locked = 75,        // somebody else holds it
  permission = 77,    // not allowed to read or write
  config = 78,        // a key or value of the configuration
  diverged = 79,      // a loss that is not finite
};

constexpr int exit_code(ErrorKind kind) {
  return static_cast<int>(kind);
}

// The three parts of a message and where it happened: a path, with ":line" or ":offset" where there is one.
struct Fault {
  std::string place;
  std::string found;
  std::string expected = {};
  std::string remedy = {};
};

class Error : public std::exception {
public:
  Error(ErrorKind kind, Fault fault);

  ErrorKind kind() const { return kind_; }
  const Fault& fault() const { return fault_; }
  // "place: found; expected; remedy" on one line, control characters escaped, empty parts left out.
  const char* what() const noexcept override { return message_.c_str(); }

private:
  ErrorKind kind_;
  Fault fault_;
  std::string message_;
};

[[noreturn]] void fail(ErrorKind kind, Fault fault);

// Throws for a failed system call: the kind follows from errno (ENOENT: missing, EACCES and EROFS:
// permission, ENOSPC and others: io), the text says what was being done.
[[noreturn]] void fail_errno(int error_number, std::string place, std::string_view doing);

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

} // namespace vlreid

// For what a user can cause; the rest of the arguments make a Fault: VLREID_REQUIRE(n > 0, ErrorKind::data,
// path, "0 rows", ...).
#define VLREID_REQUIRE(condition, kind, ...)                                                                 \
  do {                                                                                                       \
    if (!(condition)) ::vlreid::fail(kind, ::vlreid::Fault{__VA_ARGS__});                                    \
  } while (false)

// For what only we can cause.
#define VLREID_ASSERT(condition)                                                                             \
  do {                                                                                                       \
    if (!(condition)) ::vlreid::assertion_failed(#condition, __FILE__, __LINE__);                            \
  } while (false)
