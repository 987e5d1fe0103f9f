#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"
#include "vlreid/cli/multimodal_flags.h"
#include "vlreid/cli/verb.h"
#include "vlreid/train/run.h"

#include <fmt/format.h>
#include <memory>

namespace vlreid {
namespace {

const std::vector<std::pair<std::string, Precision>> kPrecisions = {
    {"f32", Precision::f32}, {"bf16", Precision::bf16}, {"fp16", Precision::f16}};

struct TrainArguments {
  std::string config_file, dtype = "f32", out;
  std::vector<std::string> overrides;
  MultimodalFlags reference;
  TrainOptions train;
  std::int64_t save_every = 600;
  bool is_dry = false;
};

// A flag of ours and one of the reference that mean the same.
void refuse_both(const char* ours, bool has_ours, const char* theirs, bool has_theirs) {
  VLREID_REQUIRE(!has_ours || !has_theirs, ErrorKind::usage, std::string(ours) + " and " + theirs, "both",
                 "one of them", "leave one out");
}

int run_train(const TrainArguments& arguments) {
  const MultimodalFlags& reference = arguments.reference;
  std::vector<std::string> pairs = reference.pairs(arguments.config_file);
  const std::string weights = reference.weights();
  refuse_both("--weights", !arguments.train.weights.empty(), "--model", !weights.empty());
  refuse_both("--out", !arguments.out.empty(), "--save_path", !reference.folder().empty());
  refuse_both("--dtype", arguments.dtype != "f32", "--amp", reference.wants_half());
  pairs.insert(pairs.end(), arguments.overrides.begin(), arguments.overrides.end());
  if (!arguments.out.empty()) pairs.insert(pairs.end(), {"OUTPUT_DIR", arguments.out});
  const Config config = load_config(arguments.config_file, pairs);
  TrainOptions options = arguments.train;
  if (!weights.empty()) options.weights = weights;
  options.precision = choose(arguments.dtype, kPrecisions);
  if (reference.wants_half())
    options.precision = options.device.starts_with("cuda") ? Precision::f16 : Precision::bf16;
  options.save_every_seconds = static_cast<double>(arguments.save_every);
  options.version = VLREID_VERSION;
  options.command_line =
      "train " + (arguments.config_file.empty() ? "" : "--config-file " + arguments.config_file + " ") +
      join(pairs, " ");
  if (arguments.is_dry)
    fmt::print("{}", dry_run(config, options));
  else
    train(config, options);
  return 0;
}

void define_options(Options& options, TrainArguments& arguments) {
  TrainOptions& train = arguments.train;
  options.text("--config-file,--config_file", arguments.config_file, "YAML file of the references or ours",
               {.shows_default = false});
  options.text("--weights", train.weights,
               "weights to start from: CLIP, or a file of stage 1 for --stage 2 (else MODEL.PRETRAIN_PATH)",
               {.shows_default = false});
  options.text("--out", arguments.out, "folder of the run (else OUTPUT_DIR)", {.shows_default = false});
  options.number("--stage", train.only_stage, "this stage only (0: all)", {.minimum = 0, .maximum = 2});
  options.flag("--resume", train.resumes, "go on where the run in the folder stopped, bit-equal");
  options.flag("--overwrite", train.overwrites, "begin again in a folder that holds a run");
  options.text("--device", train.device, "cpu, cuda or cuda:N");
  options.text("--dtype", arguments.dtype, "precision of the forward pass (fp16: GPU, with loss scaling)",
               {.choices = names_of(kPrecisions)});
  options.number("--accumulate", train.accumulate, "batches whose gradients are averaged for one update",
                 {.minimum = 1, .maximum = 65536});
  options.flag("--recompute", train.recomputes_activations,
               "recompute activations in the backward pass: less memory, a third more work");
  options.number("--save-every", arguments.save_every, "seconds between saved states",
                 {.minimum = 0, .maximum = 1e9});
  options.number("--threads", train.threads, "decoding threads (0: DATALOADER.NUM_WORKERS)",
                 {.minimum = 0, .maximum = 1024});
  options.flag("--dry-run", arguments.is_dry,
               "print shapes, trainable tensors, steps, memory and time, and stop");
  arguments.reference.define(options);
  options.words("OVERRIDES", arguments.overrides, "KEY VALUE pairs that override the configuration");
}

} // namespace

Verb make_train_verb(const std::string& verb_summary) {
  return {.name = "train",
          .summary = verb_summary,
          .example = "vlreid train --config-file configs/person/vit_clipreid.yml --weights ViT-B-16.pt --out "
                     "runs/market DATASETS.ROOT_DIR ../data",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<TrainArguments>();
            define_options(options, *arguments);
            return [arguments] { return run_train(*arguments); };
          }};
}

} // namespace vlreid
