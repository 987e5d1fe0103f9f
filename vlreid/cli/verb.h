// One verb of the command line: its name, one-line summary and example, and a function that declares its
// options and gives back what runs once they are parsed.
#pragma once

#include "vlreid/cli/options.h"

#include <functional>
#include <string>
#include <vector>

namespace vlreid {

struct Verb {
  std::string name;
  std::string summary;
  std::string example;
  // The result of the inner function is the exit code.
  std::function<std::function<int()>(Options&)> define;
};

// Every verb of builtin.def, in its order.
std::vector<Verb> all_verbs();

#define VLREID_BUILTIN(name, summary) Verb make_##name##_verb(const std::string& verb_summary);
#include "vlreid/cli/builtin.def"
#undef VLREID_BUILTIN

} // namespace vlreid
