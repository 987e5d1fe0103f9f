// What a word that names a model means: the folder of a training run (its effective configuration and one of
// its checkpoints), or a weights file with the configuration that lies beside it. Nothing is loaded.
#pragma once

#include <filesystem>
#include <string>

namespace vlreid {

enum class RunCheckpoint { best, last }; // NAME_best.pth, NAME_EPOCH.pth of the highest epoch

struct RunWeights {
  std::string name; // of the folder, or the file as it was given
  std::filesystem::path file;
  std::filesystem::path config; // empty: none is known
  bool is_of_run = false;       // the configuration is a run's, so it tells the training set
};

// Of a file, the configuration is the first of: config.yaml in its folder (a run's, unless of pre-training,
// whose weights are a plain CLIP), FILE.yml or FILE.yaml (FILE without its ending), `other_config`. Throws
// Error(missing) for what is not there.
RunWeights find_run_weights(const std::filesystem::path& path, RunCheckpoint checkpoint,
                            const std::filesystem::path& other_config = {});

} // namespace vlreid
