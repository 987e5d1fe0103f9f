#include "vlreid/cli/program.h"
#include "vlreid/cli/verb.h"

#include <fmt/format.h>

namespace vlreid {
namespace {

// Hyphens, backslashes and leading dots mean something to roff.
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

std::string describe(const OptionDocument& option) {
  const std::string standard = option.default_value.empty() ? "" : " (default " + option.default_value + ")";
  return fmt::format(".TP\n\\fB{}\\fR {}\n{}{}\n", roff(option.names), roff(option.value), roff(option.help),
                     roff(standard));
}

std::string describe(const VerbDocument& verb) {
  std::string text = fmt::format(".SS {}\n{}\n", roff(verb.name), roff(verb.summary));
  for (const OptionDocument& option : verb.options)
    text += describe(option);
  return text + fmt::format(".PP\n{}\n", roff(verb.example));
}

constexpr const char* kExitCodes = "0 ok, 64 usage, 65 bad data, 66 missing file, 70 a bug of vlreid, 73 "
                                   "cannot create, 74 input/output or disk full, "
                                   "75 locked, 77 permission, 78 configuration, 79 training diverged, 130 "
                                   "interrupted, 143 terminated after saving.";

std::string man_page() {
  std::string text = fmt::format(
      ".TH VLREID 1 \"\" \"vlreid {}\" \"User Commands\"\n.SH NAME\nvlreid \\- re\\-identification of "
      "people and vehicles with vision\\-language models\n.SH SYNOPSIS\n\\fBvlreid\\fR VERB "
      "[OPTION...]\n.SH VERBS\n",
      VLREID_VERSION);
  for (const VerbDocument& verb : describe_program())
    text += describe(verb);
  return text + fmt::format(".SH EXIT STATUS\n{}\n", roff(kExitCodes));
}

} // namespace

Verb make_man_verb(const std::string& verb_summary) {
  return {.name = "man",
          .summary = verb_summary,
          .example = "vlreid man > vlreid.1 && man ./vlreid.1",
          .define = [](Options&) -> std::function<int()> {
            return [] {
              fmt::print("{}", man_page());
              return 0;
            };
          }};
}

} // namespace vlreid
