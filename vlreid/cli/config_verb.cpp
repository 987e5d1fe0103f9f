#include "vlreid/cli/verb.h"
#include "vlreid/config/config.h"

#include <fmt/format.h>
#include <memory>

namespace vlreid {
namespace {

struct ConfigArguments {
  std::string file, why;
  std::vector<std::string> overrides;
};

int run_config(const ConfigArguments& arguments) {
  ConfigTrace trace;
  const Config config = load_config(arguments.file, arguments.overrides, &trace);
  fmt::print("{}", arguments.why.empty() ? to_yaml(config) : explain(trace, arguments.why));
  return 0;
}

} // namespace

Verb make_config_verb(const std::string& verb_summary) {
  return {
      .name = "config",
      .summary = verb_summary,
      .example = "vlreid config --config-file configs/person/vit_clipreid.yml --why SOLVER.STAGE2.BASE_LR",
      .define = [](Options& options) -> std::function<int()> {
        auto arguments = std::make_shared<ConfigArguments>();
        options.text("--config-file,--config_file", arguments->file, "YAML file", {.shows_default = false});
        options.text("--why", arguments->why, "only this key: its value, and every place that set it",
                     {.shows_default = false});
        options.words("OVERRIDES", arguments->overrides, "KEY VALUE pairs that override the file");
        return [arguments] { return run_config(*arguments); };
      }};
}

} // namespace vlreid
