#include "vlreid/base/strings.h"
#include "vlreid/cli/run.h"
#include "vlreid/cli/verb.h"

#include <filesystem>
#include <fmt/format.h>
#include <memory>

namespace vlreid {
namespace {

struct DemoArguments {
  std::string weights, out = "demo", note;
};

// Shows the command as a user would type it, then runs it.
int run_step(std::vector<std::string> words) {
  fmt::print("\n$ {}\n", join(words, " "));
  std::fflush(stdout);
  std::vector<const char*> arguments;
  for (const std::string& word : words)
    arguments.push_back(word.c_str());
  return run_program(static_cast<int>(arguments.size()), arguments.data());
}

int run_demo(const DemoArguments& arguments) {
  const std::filesystem::path out = arguments.out;
  const std::string made = (out / "made").string(), page = (out / "ranked-lists.html").string();
  const std::string features = (out / "gallery.safetensors").string();
  std::filesystem::create_directories(out);
  std::filesystem::remove(features + ".partial");
  const std::vector<std::vector<std::string>> steps = {
      {"vlreid", "synth", made, "--force", "--train-identities", "20", "--test-identities", "40",
       "--distractors", "60"},
      {"vlreid", "check", made},
      {"vlreid", "inspect", arguments.weights, "--brief"},
      {"vlreid", "embed", "--weights", arguments.weights, "--images", made + "/bounding_box_test", "--out",
       features},
      {"vlreid", "eval", "--weights", arguments.weights, "--dataset", "market1501", "--root", made,
       "--rerank", "20,6,0.3", "--page", page, "--note", arguments.note},
  };
  for (const auto& step : steps)
    if (const int code = run_step(step); code != 0) return code;
  fmt::print("\n{}\nRanked lists: {}\n", arguments.note, page);
  return 0;
}

} // namespace

Verb make_demo_verb(const std::string& verb_summary) {
  return {.name = "demo",
          .summary = verb_summary,
          .example = "vlreid demo --weights ViT-B-16_60.pth --out demo",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<DemoArguments>();
            options.text("--weights", arguments->weights, "weights file", {.is_required = true});
            options.text("--out", arguments->out, "folder for everything that is made");
            options.text("--note", arguments->note, "a sentence for the page", {.shows_default = false});
            return [arguments] { return run_demo(*arguments); };
          }};
}

} // namespace vlreid
