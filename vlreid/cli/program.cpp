#include "vlreid/cli/program.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"
#include "vlreid/cli/verb.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>
#include <iostream>
#include <memory>

namespace vlreid {
namespace {

void put_under(CLI::Option* option, const std::string& heading) {
  if (!heading.empty()) option->group(heading);
}

void apply(CLI::Option* option, const OptionRules& rules, const std::string& heading) {
  put_under(option, heading);
  if (rules.is_required) option->required();
  if (!rules.choices.empty()) option->check(CLI::IsMember(rules.choices));
  if (rules.shows_default && !rules.is_required) option->capture_default_str();
}

template <typename Number>
void add_number(CLI::App& command, const std::string& names, Number& target, const std::string& help,
                const OptionRules& rules, const std::string& heading) {
  CLI::Option* option = command.add_option(names, target, help);
  apply(option, rules, heading);
  option->check([rules](const std::string& text) {
    const auto value = parse_real(text);
    if (!value || *value < rules.minimum || *value > rules.maximum)
      return fmt::format("'{}' is not a number from {} to {}", text, rules.minimum, rules.maximum);
    return std::string();
  });
}

struct Program {
  CLI::App app{"Re-identification of people and vehicles with vision-language models.", "vlreid"};
  std::function<int()> chosen;

  Program() {
    app.set_version_flag("--version", "vlreid " VLREID_VERSION);
    app.require_subcommand(1);
    for (const Verb& verb : all_verbs()) {
      CLI::App* command = app.add_subcommand(verb.name, verb.summary);
      command->footer("Example:\n  " + verb.example);
      Options options(*command);
      command->callback([this, run = verb.define(options)] { chosen = run; });
    }
  }
};

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

// CLI11 takes a word like "[256, 128]" for a list of words and splits it. A blank in front, which words()
// takes off again, keeps it whole. Values of flags are not split.
std::vector<std::string> with_lists_kept_whole(int count, const char* const* arguments) {
  std::vector<std::string> words(arguments, arguments + count);
  for (std::size_t i = 1; i < words.size(); ++i)
    if (words[i].starts_with('[') && words[i].ends_with(']') && !words[i - 1].starts_with('-'))
      words[i].insert(0, " ");
  return words;
}

} // namespace

void Options::text(const std::string& names, std::string& target, const std::string& help,
                   const OptionRules& rules) {
  apply(command_.add_option(names, target, help), rules, heading_);
}

void Options::number(const std::string& names, int& target, const std::string& help,
                     const OptionRules& rules) {
  add_number(command_, names, target, help, rules, heading_);
}

void Options::number(const std::string& names, std::int64_t& target, const std::string& help,
                     const OptionRules& rules) {
  add_number(command_, names, target, help, rules, heading_);
}

void Options::number(const std::string& names, std::uint64_t& target, const std::string& help,
                     const OptionRules& rules) {
  add_number(command_, names, target, help, rules, heading_);
}

void Options::flag(const std::string& names, bool& target, const std::string& help) {
  put_under(command_.add_flag(names, target, help), heading_);
}

void Options::words(const std::string& name, std::vector<std::string>& target, const std::string& help,
                    const OptionRules& rules) {
  CLI::Option* option = command_.add_option(name, target, help);
  if (rules.is_required) option->required();
  option->transform([](const std::string& word) { return std::string(trim(word)); });
}

ParsedProgram parse_program(int argument_count, const char* const* arguments) {
  check_verb(argument_count, arguments);
  Program program;
  try {
    std::vector<const char*> words;
    const std::vector<std::string> kept = with_lists_kept_whole(argument_count, arguments);
    for (const std::string& word : kept)
      words.push_back(word.c_str());
    program.app.parse(argument_count, words.data());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.app.exit(error, std::cout, std::cerr);
    const std::string text = error.what();
    fail(ErrorKind::usage, {.place = argument_count > 1 ? arguments[1] : "command line",
                            .found = text.substr(0, text.find('\n')),
                            .remedy = "see vlreid --help, or vlreid VERB --help"});
  }
  return program.chosen;
}

std::vector<VerbDocument> describe_program() {
  Program program;
  std::vector<VerbDocument> verbs;
  for (const CLI::App* command : program.app.get_subcommands({})) {
    VerbDocument verb{command->get_name(), command->get_description(), command->get_footer(), {}};
    for (const CLI::Option* option : command->get_options()) {
      std::vector<std::string> long_names;
      for (const std::string& name : option->get_lnames())
        long_names.push_back("--" + name);
      verb.options.push_back({.names = option->get_name(false, true),
                              .long_names = std::move(long_names),
                              .value = option->get_type_size() == 0 ? "" : option->get_type_name(),
                              .default_value = option->get_default_str(),
                              .help = option->get_description()});
    }
    verbs.push_back(std::move(verb));
  }
  return verbs;
}

} // namespace vlreid
