// The whole command line: all verbs with their options, parsed and described.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace vlreid {

// What to do after parsing: run a verb, or leave at once with this code (help was asked for, and is printed).
using ParsedProgram = std::variant<std::function<int()>, int>;

// Throws Error(usage) for words that no verb takes.
ParsedProgram parse_program(int argument_count, const char* const* arguments);

struct OptionDocument {
  std::string names;                   // "--batch", or "-h,--help"
  std::vector<std::string> long_names; // "--batch"
  std::string value;                   // "INT", empty for a flag
  std::string default_value;
  std::string help;
};

struct VerbDocument {
  std::string name, summary, example;
  std::vector<OptionDocument> options;
};

std::vector<VerbDocument> describe_program();

} // namespace vlreid
