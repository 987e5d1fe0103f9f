#include "vlreid/cli/model_arguments.h"

#include "vlreid/base/error.h"

namespace vlreid {
namespace {

const std::vector<std::pair<std::string, TestViews>> kViews = {
    {"plain", TestViews::plain}, {"flip", TestViews::flip}, {"shifted", TestViews::shifted}};

constexpr int kUsualBatch = 32;

} // namespace

void ModelArguments::define(Options& options) {
  options.text("--weights", weights, "weights file: OpenAI archive, .pth or .safetensors",
               {.shows_default = false});
  options.text("--config-file,--config_file", config_file, "YAML file of the references or ours",
               {.shows_default = false});
  define_running(options);
  options.words("OVERRIDES", overrides, "KEY VALUE pairs that override the configuration");
}

void ModelArguments::define_running(Options& options) {
  options.text("--device", device, "cpu, cuda or cuda:N");
  options.text("--dtype", dtype, "precision of the encoder", {.choices = {"f32", "f32x3", "bf16", "int8"}});
  options.number("--batch", batch_size, "images a batch (0: the configuration's, else 32)",
                 {.minimum = 0, .maximum = 65536});
  options.number("--threads", threads, "decoding threads (0: all cores)", {.minimum = 0, .maximum = 1024});
  options.text("--views", views,
               "embeddings averaged: the image; and its mirror image; and Multimodal-ReID's shifted one",
               {.choices = names_of(kViews)});
  options.number("--seed", seed, "seed of the shifted view");
}

LoadedArguments load_arguments(const ModelArguments& arguments) {
  ConfigTrace trace;
  LoadedArguments loaded{.config = load_config(arguments.config_file, arguments.overrides, &trace),
                         .embedder = {}};
  const bool has_file = !arguments.config_file.empty();
  EmbedderOptions& embedder = loaded.embedder;
  embedder.weights = arguments.weights.empty() ? loaded.config.test.weight : arguments.weights;
  VLREID_REQUIRE(!embedder.weights.empty(), ErrorKind::usage, "--weights", "no weights are named",
                 "a weights file", "add --weights FILE, or TEST.WEIGHT to the configuration");
  embedder.settings = settings_from(loaded.config, trace, has_file);
  embedder.device = arguments.device;
  embedder.dtype = arguments.dtype;
  embedder.batch_size = arguments.batch_size;
  if (embedder.batch_size == 0)
    embedder.batch_size = has_file ? static_cast<int>(loaded.config.test.batch_size) : kUsualBatch;
  embedder.threads = arguments.threads;
  embedder.views = choose(arguments.views, kViews);
  embedder.seed = arguments.seed;
  return loaded;
}

} // namespace vlreid
