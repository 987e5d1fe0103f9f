#include "vlreid/base/strings.h"
#include "vlreid/cli/verb.h"
#include "vlreid/train/pretrain.h"

#include <memory>

namespace vlreid {
namespace {

const std::vector<std::pair<std::string, Precision>> kPrecisions = {
    {"f32", Precision::f32}, {"bf16", Precision::bf16}, {"fp16", Precision::f16}};

struct PretrainArguments {
  std::string captions, images, sizes, out, split = "train", eval_split = "test", positives = "identity";
  std::string rate = "5e-4", dtype = "f32";
  std::int64_t epochs = 30, batch = 128, warmup = 2, eval_every = 5, save_every = 600;
  std::uint64_t seed = 1234;
  std::vector<std::string> overrides;
  TrainOptions train;
};

std::vector<std::string> pairs_of(const PretrainArguments& a) {
  std::vector<std::string> pairs = {"PRETRAIN.CAPTIONS",   a.captions,   "PRETRAIN.IMAGES",    a.images,
                                    "PRETRAIN.SIZES",      a.sizes,      "PRETRAIN.SPLIT",     a.split,
                                    "PRETRAIN.EVAL_SPLIT", a.eval_split, "PRETRAIN.POSITIVES", a.positives,
                                    "SOLVER.BASE_LR",      a.rate,       "OUTPUT_DIR",         a.out};
  for (const auto& [key, value] : {std::pair{"SOLVER.MAX_EPOCHS", a.epochs},
                                   {"SOLVER.IMS_PER_BATCH", a.batch},
                                   {"SOLVER.WARMUP_EPOCHS", a.warmup},
                                   {"SOLVER.EVAL_PERIOD", a.eval_every},
                                   {"SOLVER.SEED", static_cast<std::int64_t>(a.seed)}})
    pairs.insert(pairs.end(), {key, std::to_string(value)});
  pairs.insert(pairs.end(), a.overrides.begin(), a.overrides.end());
  return pairs;
}

int run_pretrain(const PretrainArguments& arguments) {
  const std::vector<std::string> pairs = pairs_of(arguments);
  TrainOptions options = arguments.train;
  options.precision = choose(arguments.dtype, kPrecisions);
  options.save_every_seconds = static_cast<double>(arguments.save_every);
  options.version = VLREID_VERSION;
  options.command_line = "pretrain " + join(pairs, " ");
  pretrain(pretraining_config(pairs), options);
  return 0;
}

void define_options(Options& options, PretrainArguments& arguments) {
  TrainOptions& train = arguments.train;
  options.text("--captions", arguments.captions,
               "images and captions: CUHK-PEDES, ICFG-PEDES or RSTPReid JSON, or CSV",
               {.is_required = true, .shows_default = false});
  options.text("--images", arguments.images, "folder that the paths of --captions begin in",
               {.shows_default = false});
  options.text("--split", arguments.split, "part of --captions to train on",
               {.choices = {"train", "val", "test", "all"}});
  options.text("--eval-split", arguments.eval_split, "part that is searched by its captions for the scores",
               {.choices = {"train", "val", "test", "all", "none"}});
  options.text("--sizes", arguments.sizes, "from scratch: YAML of sizes (configs/clip)",
               {.shows_default = false});
  options.text("--weights", train.weights, "or from these CLIP weights", {.shows_default = false});
  options.text("--out", arguments.out, "folder of the run", {.is_required = true, .shows_default = false});
  options.number("--epochs", arguments.epochs, "epochs", {.minimum = 1, .maximum = 1e6});
  options.number("--batch", arguments.batch, "pairs per batch", {.minimum = 2, .maximum = 1 << 20});
  options.text("--lr", arguments.rate, "learning rate after warm-up; a cosine takes it to 0");
  options.number("--warmup", arguments.warmup, "epochs of warm-up", {.minimum = 0, .maximum = 1e6});
  options.text("--positives", arguments.positives,
               "what a caption belongs to: all images of its identity, or its image alone",
               {.choices = {"identity", "image"}});
  options.number("--eval-every", arguments.eval_every, "epochs between evaluations",
                 {.minimum = 1, .maximum = 1e6});
  options.number("--seed", arguments.seed, "seed of everything random");
  options.flag("--resume", train.resumes, "go on where the run in the folder stopped, bit-equal");
  options.flag("--overwrite", train.overwrites, "begin again in a folder that holds a run");
  options.text("--device", train.device, "cpu, cuda or cuda:N");
  options.text("--dtype", arguments.dtype, "precision of the forward pass (fp16: GPU, with loss scaling)",
               {.choices = names_of(kPrecisions)});
  options.number("--save-every", arguments.save_every, "seconds between saved states",
                 {.minimum = 0, .maximum = 1e9});
  options.number("--threads", train.threads, "decoding threads (0: DATALOADER.NUM_WORKERS)",
                 {.minimum = 0, .maximum = 1024});
  options.words("OVERRIDES", arguments.overrides,
                "KEY VALUE pairs for what no flag says (INPUT.SIZE_TRAIN, SOLVER.WEIGHT_DECAY, ...)");
}

} // namespace

Verb make_pretrain_verb(const std::string& verb_summary) {
  return {.name = "pretrain",
          .summary = verb_summary,
          .example =
              "vlreid pretrain --captions CUHK-PEDES/reid_raw.json --sizes configs/clip/tiny.yml --out "
              "runs/clip --epochs 30",
          .define = [](Options& options) -> std::function<int()> {
            auto arguments = std::make_shared<PretrainArguments>();
            define_options(options, *arguments);
            return [arguments] { return run_pretrain(*arguments); };
          }};
}

} // namespace vlreid
