// One verb of the command line: its name, one-line summary and example, and a function that declares its
// options and gives back what runs once they are parsed. Help, completion and the man page are all made from
// these.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <string>
#include <vector>

namespace vlreid {

struct Verb {
  std::string name;
  std::string summary;
  std::string example;
  // The result of the inner function is the exit code.
  std::function<std::function<int()>(CLI::App&)> define;
};

// Every verb of builtin.def, in its order.
std::vector<Verb> all_verbs();

// The whole command line, ready to parse; `chosen` receives what to run.
void define_program(CLI::App& program, std::function<int()>& chosen);

#define VLREID_BUILTIN(name, summary) Verb make_##name##_verb(const std::string& verb_summary);
#include "vlreid/cli/builtin.def"
#undef VLREID_BUILTIN

} // namespace vlreid
