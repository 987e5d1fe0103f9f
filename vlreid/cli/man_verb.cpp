#include "vlreid/cli/verb.h"

#include <fmt/format.h>

namespace vlreid {
namespace {

// Hyphens and leading dots mean something to roff.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    if (c == '\n') out += ".br\n";
  }
  return out.starts_with('.') ? "\\&" + out : out;
}

std::string describe_option(const CLI::Option& option) {
  const std::string name = option.get_name(false, true);
  const std::string value = option.get_type_size() == 0 ? "" : " " + option.get_type_name();
  const std::string standard =
      option.get_default_str().empty() ? "" : " (default " + option.get_default_str() + ")";
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}{}\n", roff(name), roff(value), roff(option.get_description()),
                     roff(standard));
}

std::string describe_verb(const CLI::App& command) {
  std::string text = fmt::format(".SS {}\n{}\n", roff(command.get_name()), roff(command.get_description()));
  for (const CLI::Option* option : command.get_options())
    text += describe_option(*option);
  return text + fmt::format(".PP\n{}\n", roff(command.get_footer()));
}

constexpr const char* kExitCodes = "0 ok, 64 usage, 65 bad data, 66 missing file, 70 a bug of vlreid, 73 "
                                   "cannot create, 74 input/output or disk full, "
                                   "75 locked, 77 permission, 78 configuration, 79 training diverged, 130 "
                                   "interrupted, 143 terminated after saving.";

std::string man_page() {
  CLI::App program("", "vlreid");
  std::function<int()> unused;
  define_program(program, unused);
  std::string text = fmt::format(
      ".TH VLREID 1 \"\" \"vlreid {}\" \"User Commands\"\n.SH NAME\nvlreid \\- re\\-identification of people "
      "and "
      "vehicles with vision\\-language models\n.SH SYNOPSIS\n\\fBvlreid\\fR VERB [OPTION...]\n.SH VERBS\n",
      VLREID_VERSION);
  for (const CLI::App* command : program.get_subcommands({}))
    text += describe_verb(*command);
  return text + fmt::format(".SH EXIT STATUS\n{}\n", roff(kExitCodes));
}

} // namespace

Verb make_man_verb(const std::string& verb_summary) {
  return {.name = "man",
          .summary = verb_summary,
          .example = "vlreid man > vlreid.1 && man ./vlreid.1",
          .define = [](CLI::App&) -> std::function<int()> {
            return [] {
              fmt::print("{}", man_page());
              return 0;
            };
          }};
}

} // namespace vlreid
