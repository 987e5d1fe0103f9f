#include "vlreid/cli/verb.h"
#include "vlreid/weights/describe.h"
#include "vlreid/weights/load.h"

#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace vlreid {
namespace {

struct InspectArguments {
  std::string first, second;
  bool as_json = false, is_brief = false;
};

int run_inspect(const InspectArguments& arguments) {
  const WeightsFile first = load_weights(arguments.first);
  if (arguments.second.empty()) {
    const Description description = describe(first);
    fmt::print("{}\n",
               arguments.as_json ? to_json(description).dump(2) : to_text(description, !arguments.is_brief));
    return 0;
  }
  const Comparison comparison = compare(first, load_weights(arguments.second));
  fmt::print("{}\n", arguments.as_json ? to_json(comparison).dump(2) : to_text(comparison));
  return 0;
}

} // namespace

Verb make_inspect_verb(const std::string& verb_summary) {
  return {.name = "inspect",
          .summary = verb_summary,
          .example = "vlreid inspect ViT-B-16_60.pth",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<InspectArguments>();
            options.text("WEIGHTS", arguments->first, "weights file", {.is_required = true});
            options.text("OTHER", arguments->second, "a second one to compare with",
                         {.shows_default = false});
            options.flag("--brief", arguments->is_brief, "leave out the list of tensors");
            options.flag("--json", arguments->as_json, "print it as JSON");
            return [arguments] { return run_inspect(*arguments); };
          }};
}

} // namespace vlreid
