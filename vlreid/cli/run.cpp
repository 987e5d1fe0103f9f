#include "vlreid/cli/run.h"

#include "vlreid/base/error.h"
#include "vlreid/base/stop.h"
#include "vlreid/base/strings.h"
#include "vlreid/cli/verb.h"

#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <iostream>
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

int report_parse_error(const CLI::App& program, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return program.exit(error, std::cout, std::cerr);
  return report(fmt::format("{}; see vlreid --help, or vlreid VERB --help", first_line(error.what())),
                exit_code(ErrorKind::usage));
}

// An unknown first word deserves the nearest verb rather than a list of arguments that were not expected.
void check_verb(int argument_count, const char* const* arguments) {
  if (argument_count < 2 || arguments[1][0] == '-') return;
  std::vector<std::string> names;
  for (const Verb& verb : all_verbs()) {
    names.push_back(verb.name);
    if (verb.name == arguments[1]) return;
  }
  fail(ErrorKind::usage, {.place = arguments[1],
                          .found = "unknown verb",
                          .expected = "one of " + join(names, ", "),
                          .remedy = "did you mean '" + nearest(arguments[1], names) + "'?"});
}

int parse_and_run(int argument_count, const char* const* arguments) {
  CLI::App program("Re-identification of people and vehicles with vision-language models.", "vlreid");
  std::function<int()> chosen;
  define_program(program, chosen);
  try {
    check_verb(argument_count, arguments);
    program.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    return report_parse_error(program, error);
  }
  const int code = chosen();
  // A full disk behind `>` shows up only when the buffer is written.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    fail(ErrorKind::io, {.place = "standard output", .found = "writing failed", .remedy = "free some space"});
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
