#include "vlreid/cli/program.h"
#include "vlreid/cli/verb.h"

#include <fmt/format.h>
#include <memory>

namespace vlreid {
namespace {

std::string escape_single_quotes(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

std::string all_flags(const VerbDocument& verb) {
  std::string flags;
  for (const OptionDocument& option : verb.options)
    for (const std::string& name : option.long_names)
      flags += name + " ";
  return flags;
}

std::string bash_script(const std::vector<VerbDocument>& verbs) {
  std::string cases, names;
  for (const VerbDocument& verb : verbs) {
    names += verb.name + " ";
    cases += fmt::format("    {}) words='{}' ;;\n", verb.name, all_flags(verb));
  }
  return fmt::format(R"(_vlreid() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} words='{}'
  [ "$COMP_CWORD" -gt 1 ] && case ${{COMP_WORDS[1]}} in
{}  esac
  if [ "$COMP_CWORD" -gt 1 ] && [[ $word != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  fi
}}
complete -o filenames -F _vlreid vlreid
)",
                     names, cases);
}

std::string zsh_script(const std::vector<VerbDocument>& verbs) {
  std::string names, cases;
  for (const VerbDocument& verb : verbs) {
    names += fmt::format("    '{}:{}'\n", verb.name, escape_single_quotes(verb.summary));
    cases += fmt::format("    {}) compadd -- {}; _files ;;\n", verb.name, all_flags(verb));
  }
  return fmt::format(R"(#compdef vlreid
_vlreid() {{
  local -a verbs
  verbs=(
{}  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  case $words[2] in
{}  esac
}}
compdef _vlreid vlreid
)",
                     names, cases);
}

std::string fish_script(const std::vector<VerbDocument>& verbs) {
  std::string lines;
  for (const VerbDocument& verb : verbs) {
    lines += fmt::format("complete -c vlreid -n __fish_use_subcommand -a {} -d '{}'\n", verb.name,
                         escape_single_quotes(verb.summary));
    for (const OptionDocument& option : verb.options)
      for (const std::string& name : option.long_names)
        lines += fmt::format("complete -c vlreid -n '__fish_seen_subcommand_from {}' -l {} -d '{}'\n",
                             verb.name, name.substr(2), escape_single_quotes(option.help));
  }
  return lines;
}

using Script = std::string (*)(const std::vector<VerbDocument>&);
const std::vector<std::pair<std::string, Script>> kShells = {
    {"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

} // namespace

Verb make_completion_verb(const std::string& verb_summary) {
  return {.name = "completion",
          .summary = verb_summary,
          .example = "source <(vlreid completion bash)",
          .define = [](Options& options) -> std::function<int()> {
            auto shell = std::make_shared<std::string>();
            options.text("SHELL", *shell, "the shell", {.is_required = true, .choices = names_of(kShells)});
            return [shell] {
              fmt::print("{}", choose(*shell, kShells)(describe_program()));
              return 0;
            };
          }};
}

} // namespace vlreid
