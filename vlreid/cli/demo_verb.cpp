#include "vlreid/base/strings.h"
#include "vlreid/cli/run.h"
#include "vlreid/cli/verb.h"

#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <memory>

namespace vlreid {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

struct DemoArguments {
  std::string out = "demo", configs = "configs";
};

// The file names of the demo, all below --out.
struct DemoFiles {
  std::string made, captions, clip_run, clip, page;
  std::string run(const std::string& name) const { return out + "/" + name; }
  std::string out;

  explicit DemoFiles(const std::string& folder)
      : made(folder + "/made"), captions(made + "/captions.json"), clip_run(folder + "/clip"),
        clip(clip_run + "/clip.pth"), page(folder + "/report.html"), out(folder) {}
};

struct DemoStep {
  std::string what; // for people
  Words words;
};

Words train_words(const DemoFiles& files, const std::string& configs, const std::string& name) {
  return {"vlreid",      "train",          "--config-file", configs + "/demo/" + name + ".yml",
          "--weights",   files.clip,       "--out",         files.run(name),
          "--overwrite", "DATASETS.NAMES", "market1501",    "DATASETS.ROOT_DIR",
          files.made};
}

std::vector<DemoStep> demo_steps(const DemoFiles& files, const std::string& configs) {
  return {
      {"Draw people under six cameras: 150 to train on, 60 others to find again.",
       {"vlreid", "synth", files.made, "--force", "--train-identities", "150", "--test-identities", "60",
        "--distractors", "100"}},
      {"Look for broken rules in the dataset.", {"vlreid", "check", files.made}},
      {"Pre-train a small CLIP from scratch on the captions of the training people.",
       {"vlreid",     "pretrain",     "--sizes",     configs + "/clip/demo.yml",
        "--captions", files.captions, "--images",    files.made,
        "--out",      files.clip_run, "--overwrite", "--epochs",
        "16",         "--batch",      "64",          "--lr",
        "1e-3",       "--eval-every", "8",           "SOLVER.WEIGHT_DECAY",
        "0.05"}},
      {"Search the unseen people by sentences.",
       {"vlreid", "eval", "--weights", files.clip, "--captions", files.captions, "--images", files.made,
        "--split", "test"}},
      {"Zero-shot: the unseen people across cameras, before any training for re-identification.",
       {"vlreid", "eval", "--weights", files.clip, "--dataset", "market1501", "--root", files.made,
        "--record", files.run("zero_shot"), "INPUT.SIZE_TEST", "[128, 64]"}},
      {"Baseline: identity and triplet losses, no text.", train_words(files, configs, "baseline")},
      {"CLIP-ReID: learn words for each person, then tune the image encoder.",
       train_words(files, configs, "clipreid")},
      {"Deep prompts and LoRA.", train_words(files, configs, "ted_lora")},
      {"All of them side by side.",
       {"vlreid", "report", files.run("zero_shot"), files.run("baseline"), files.run("clipreid"),
        files.run("ted_lora"), "--out", files.page}},
  };
}

// Shows the command as a user would type it, then runs it.
int run_step(const DemoStep& step) {
  fmt::print("\n{}\n$ {}\n", step.what, join(step.words, " "));
  std::fflush(stdout);
  std::vector<const char*> arguments;
  for (const std::string& word : step.words)
    arguments.push_back(word.c_str());
  return run_program(static_cast<int>(arguments.size()), arguments.data());
}

int run_demo(const DemoArguments& arguments) {
  const DemoFiles files(arguments.out);
  fs::create_directories(arguments.out);
  const auto start = Clock::now();
  for (const DemoStep& step : demo_steps(files, arguments.configs))
    if (const int code = run_step(step); code != 0) return code;
  fmt::print("\n{:.0f} s. Open {} in a browser.\n",
             std::chrono::duration<double>(Clock::now() - start).count(), files.page);
  return 0;
}

} // namespace

Verb make_demo_verb(const std::string& verb_summary) {
  return {.name = "demo",
          .summary = verb_summary,
          .example = "vlreid demo --out demo",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<DemoArguments>();
            options.text("--out", arguments->out, "folder for everything that is made");
            options.text("--configs", arguments->configs,
                         "folder of the configuration files that come with vlreid");
            return [arguments] { return run_demo(*arguments); };
          }};
}

} // namespace vlreid
