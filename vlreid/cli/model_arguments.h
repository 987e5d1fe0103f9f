// The arguments that every verb that runs a model has: weights, configuration, device, precision, batch,
// views.
#pragma once

#include "vlreid/cli/options.h"
#include "vlreid/config/config.h"
#include "vlreid/inference/embedder.h"

#include <string>
#include <vector>

namespace vlreid {

struct ModelArguments {
  std::string weights, config_file, device = "cpu", dtype = "f32", views = "plain";
  int batch_size = 0; // 0: TEST.IMS_PER_BATCH of a file, else 32
  int threads = 0;
  std::uint64_t seed = 0;
  std::vector<std::string> overrides; // KEY VALUE pairs

  void define(Options& options);
  void define_running(Options& options); // without weights and configuration
};

struct LoadedArguments {
  Config config;
  EmbedderOptions embedder;
};

// Reads the configuration and decides between it and the flags (flags win). A usage error when no weights are
// named.
LoadedArguments load_arguments(const ModelArguments& arguments);

} // namespace vlreid
