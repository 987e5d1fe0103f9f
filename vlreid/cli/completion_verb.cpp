#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"
#include "vlreid/cli/verb.h"

#include <fmt/format.h>
#include <memory>

namespace vlreid {
namespace {

// Long flags of a verb, with their help.
std::vector<std::pair<std::string, std::string>> flags_of(const CLI::App& command) {
  std::vector<std::pair<std::string, std::string>> flags;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames())
      flags.emplace_back("--" + name, option->get_description());
  return flags;
}

std::string escape_single_quotes(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

std::string bash_script(const CLI::App& program) {
  std::string cases, verbs;
  for (const CLI::App* command : program.get_subcommands({})) {
    verbs += command->get_name() + " ";
    std::string words;
    for (const auto& [flag, help] : flags_of(*command))
      words += flag + " ";
    cases += fmt::format("    {}) words='{}' ;;\n", command->get_name(), words);
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
                     verbs, cases);
}

std::string zsh_script(const CLI::App& program) {
  std::string verbs, cases;
  for (const CLI::App* command : program.get_subcommands({})) {
    verbs +=
        fmt::format("    '{}:{}'\n", command->get_name(), escape_single_quotes(command->get_description()));
    std::string flags;
    for (const auto& [flag, help] : flags_of(*command))
      flags += fmt::format(" {}", flag);
    cases += fmt::format("    {}) compadd -- {}; _files ;;\n", command->get_name(), flags);
  }
  return fmt::format(
      "#compdef vlreid\n_vlreid() {{\n  local -a verbs\n  verbs=(\n{}  )\n  if (( CURRENT == 2 )); then\n"
      "    _describe verb verbs\n    return\n  fi\n  case $words[2] in\n{}  esac\n}}\ncompdef _vlreid "
      "vlreid\n",
      verbs, cases);
}

std::string fish_script(const CLI::App& program) {
  std::string lines;
  for (const CLI::App* command : program.get_subcommands({})) {
    lines += fmt::format("complete -c vlreid -n __fish_use_subcommand -a {} -d '{}'\n", command->get_name(),
                         escape_single_quotes(command->get_description()));
    for (const auto& [flag, help] : flags_of(*command))
      lines += fmt::format("complete -c vlreid -n '__fish_seen_subcommand_from {}' -l {} -d '{}'\n",
                           command->get_name(), flag.substr(2), escape_single_quotes(help));
  }
  return lines;
}

std::string script_for(const std::string& shell) {
  CLI::App program("", "vlreid");
  std::function<int()> unused;
  define_program(program, unused);
  if (shell == "bash") return bash_script(program);
  if (shell == "zsh") return zsh_script(program);
  return fish_script(program);
}

} // namespace

Verb make_completion_verb(const std::string& verb_summary) {
  return {.name = "completion",
          .summary = verb_summary,
          .example = "source <(vlreid completion bash)",
          .define = [](CLI::App& command) -> std::function<int()> {
            auto shell = std::make_shared<std::string>();
            command.add_option("SHELL", *shell, "bash, zsh or fish")
                ->required()
                ->check(CLI::IsMember({"bash", "zsh", "fish"}));
            return [shell] {
              fmt::print("{}", script_for(*shell));
              return 0;
            };
          }};
}

} // namespace vlreid
