#include "vlreid/cli/run.h"

#include "vlreid/base/error.h"
#include "vlreid/base/stop.h"
#include "vlreid/cli/program.h"

#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <new>

namespace vlreid {
namespace {

int report(std::string_view message, int code) {
  fmt::print(stderr, "vlreid: {}\n", message);
  return code;
}

// The first line only: LibTorch's messages carry a stack trace below it.
std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

// A full disk behind `>` shows up only when the buffer is written.
void flush_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    fail(ErrorKind::io, {.place = "standard output", .found = "writing failed", .remedy = "free some space"});
}

int parse_and_run(int argument_count, const char* const* arguments) {
  const ParsedProgram parsed = parse_program(argument_count, arguments);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  const int code = std::get<std::function<int()>>(parsed)();
  flush_output();
  return code;
}

} // namespace

int run_program(int argument_count, const char* const* arguments) {
  install_stop_handlers();
  try {
    return parse_and_run(argument_count, arguments);
  } catch (const Error& error) {
    return report(error.what(), exit_code(error.kind()));
  } catch (const Stopped& stopped) {
    return report(stopped.what(), stopped.exit_code());
  } catch (const std::bad_alloc&) {
    return report("out of memory; try a smaller --batch", exit_code(ErrorKind::io));
  } catch (const std::exception& error) {
    return report(fmt::format("{}; this is a bug of vlreid; please report it", first_line(error.what())),
                  exit_code(ErrorKind::internal));
  }
}

} // namespace vlreid
