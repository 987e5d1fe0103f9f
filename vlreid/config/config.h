// From a YAML file and KEY VALUE pairs to typed options, with a record of where each value came from.
// Implements section I of the style document; keys, defaults and quirks are those of the reference files,
// which load unchanged.
//
//     const Config config = load_config("configs/person/vit_clipreid.yml", {{"MODEL.SIE_CAMERA", "True"}});
//
// Precedence: default < file named by _BASE_ < file < KEY VALUE pairs. Every function throws Error(config)
// with `file:line` for an unknown key, a wrong type, a value out of range or a file that is not acceptable
// YAML. Thread safe: no state.
#pragma once

#include "vlreid/config/options.h"

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

struct Config {
  ModelOptions model;
  InputOptions input;
  DatasetSelection datasets;
  DataloaderOptions dataloader;
  SolverOptions solver;
  TestOptions test;
  PretrainOptions pretrain;
  LoraOptions lora;
  std::string output_dir;

  template <class V>
  void visit(V& v) {
    lora.visit(v);
    v.section("MODEL", model);
    v.section("INPUT", input);
    v.section("DATALOADER", dataloader);
    v.section("SOLVER", solver);
    v.section("TEST", test);
    v.section("PRETRAIN", pretrain);
    v.section("DATASETS", datasets);
    v("OUTPUT_DIR", output_dir, {"folder for logs and checkpoints"});
  }
};

// Every value that a key was given, the last one wins.
struct ConfigTrace {
  struct Source {
    std::string value; // as to_yaml prints it
    std::string place; // "default", "path.yml:12", "command line", or the rule that set it
  };
  std::map<std::string, std::vector<Source>, std::less<>>
      keys; // full key ("SOLVER.STAGE2.BASE_LR") -> its values
};

// An empty path means no file. `key_value_pairs` alternates keys and values ("SOLVER.SEED", "1"); an odd
// count is a usage error.
Config load_config(const std::filesystem::path& path, std::span<const std::string> key_value_pairs = {},
                   ConfigTrace* trace = nullptr);
// The same from text; `place` stands for the file name in messages. REQUIRES (else Error(config)): no _BASE_.
Config load_config_text(std::string_view text, std::string_view place,
                        std::span<const std::string> key_value_pairs = {}, ConfigTrace* trace = nullptr);

// Throws Error(config) when a value is outside of its range; load_config has called it already.
void validate(const Config& config);

// The effective options as a YAML file: load_config of it gives the same Config.
std::string to_yaml(const Config& config);

// Which value of `key` won, who set it, and what it overrode, for people; several lines. Unknown keys are
// Error(config).
std::string explain(const ConfigTrace& trace, std::string_view key);

struct KeyDocument {
  std::string key;
  std::string default_value;
  std::string help;
};
// All keys in the order of to_yaml; `help` names allowed values, and why a key that is only accepted has no
// effect.
std::vector<KeyDocument> document();

} // namespace vlreid
