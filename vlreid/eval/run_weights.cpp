#include "vlreid/eval/run_weights.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"
#include "vlreid/config/config.h"
#include "vlreid/report/run_summary.h"

namespace vlreid {
namespace {

namespace fs = std::filesystem;

// "ViT-B-16_60.pth" -> 60; -1 for other files (stage 1 has "_stage1_" before the number).
std::int64_t epoch_of(std::string_view file, const std::string& model) {
  constexpr std::string_view kEnding = ".pth";
  const std::string start = model + "_";
  if (!file.starts_with(start) || !file.ends_with(kEnding)) return -1;
  return parse_integer(file.substr(start.size(), file.size() - start.size() - kEnding.size())).value_or(-1);
}

fs::path last_checkpoint(const fs::path& folder, const std::string& model) {
  fs::path last;
  std::int64_t highest = -1;
  for (const std::string& file : list_files(folder))
    if (const std::int64_t epoch = epoch_of(file, model); epoch > highest) {
      highest = epoch;
      last = folder / file;
    }
  return last;
}

bool is_of_run(const fs::path& config) {
  return fs::is_regular_file(config) && load_config(config).pretrain.captions.empty();
}

RunWeights of_run(const fs::path& folder, RunCheckpoint checkpoint) {
  const fs::path config = folder / kConfigFile;
  VLREID_REQUIRE(fs::is_regular_file(config), ErrorKind::missing, config.string(), "no such file",
                 "the folder of a training run (vlreid train --out)", "or name a weights file");
  const std::string model = load_config(config).model.name;
  const bool is_best = checkpoint == RunCheckpoint::best;
  const fs::path file = is_best ? folder / (model + "_best.pth") : last_checkpoint(folder, model);
  VLREID_REQUIRE(fs::is_regular_file(file), ErrorKind::missing, folder.string(),
                 std::string(is_best ? "no checkpoint " + model + "_best.pth" : "no checkpoint of stage 2"),
                 "a run that was scored or came to its end",
                 is_best ? "take --checkpoint last, or name a weights file" : "name a weights file");
  const fs::path plain = (folder / "").lexically_normal().parent_path();
  return {.name = plain.filename().string(), .file = file, .config = config, .is_of_run = true};
}

} // namespace

RunWeights find_run_weights(const fs::path& path, RunCheckpoint checkpoint, const fs::path& other_config) {
  if (fs::is_directory(path)) return of_run(path, checkpoint);
  VLREID_REQUIRE(fs::exists(path), ErrorKind::missing, path.string(), "no such file or folder",
                 "the folder of a training run, or a weights file", "check the spelling");
  RunWeights found{.name = path.string(), .file = path, .config = other_config};
  if (const fs::path beside = path.parent_path() / kConfigFile; is_of_run(beside)) {
    found.config = beside;
    found.is_of_run = true;
    return found;
  }
  for (const char* ending : {".yaml", ".yml"})
    if (const fs::path beside = fs::path(path).replace_extension(ending); fs::is_regular_file(beside))
      found.config = beside;
  return found;
}

} // namespace vlreid
