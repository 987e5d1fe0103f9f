#include "vlreid/cli/verb.h"

namespace vlreid {

std::vector<Verb> all_verbs() {
  return {
#define VLREID_BUILTIN(name, summary) make_##name##_verb(summary),
#include "vlreid/cli/builtin.def"
#undef VLREID_BUILTIN
  };
}

void define_program(CLI::App& program, std::function<int()>& chosen) {
  program.set_version_flag("--version", "vlreid " VLREID_VERSION);
  program.require_subcommand(1);
  for (const Verb& verb : all_verbs()) {
    CLI::App* command = program.add_subcommand(verb.name, verb.summary);
    command->footer("Example:\n  " + verb.example);
    command->callback([&chosen, run = verb.define(*command)] { chosen = run; });
  }
}

} // namespace vlreid
