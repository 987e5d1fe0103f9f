#include "vlreid/cli/multimodal_flags.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"
#include "vlreid/config/config.h"
#include "vlreid/inference/zero_shot_weights.h"

#include <filesystem>
#include <fmt/format.h>

namespace vlreid {
namespace {

constexpr const char* kSharing = "_hard_sharing"; // ends the methods with an encoder for two sets

// Flags that are keys under another name.
struct Flag {
  const char* name;
  std::vector<const char*> keys;
  const char* help;
};

const std::vector<Flag>& flags() {
  static const std::vector<Flag> all = {
      {"--save_path", {"OUTPUT_DIR"}, "folder of the run: OUTPUT_DIR"},
      {"--epochs_stage1", {"SOLVER.STAGE1.MAX_EPOCHS"}, "SOLVER.STAGE1.MAX_EPOCHS"},
      {"--epochs_stage2", {"SOLVER.STAGE2.MAX_EPOCHS"}, "SOLVER.STAGE2.MAX_EPOCHS"},
      {"--root", {"DATASETS.ROOT_DIR"}, "parent folder of the datasets: DATASETS.ROOT_DIR"},
      {"--bs",
       {"SOLVER.STAGE1.IMS_PER_BATCH", "SOLVER.STAGE2.IMS_PER_BATCH"},
       "images a batch: IMS_PER_BATCH of both stages"},
      {"--vpt_ctx", {"MODEL.VPT_CTX"}, "learned tokens a block: MODEL.VPT_CTX"},
      {"--train_dataset", {"DATASETS.NAMES"}, "DATASETS.NAMES"},
      {"--train_dataset_multitask", {"DATASETS.MERGED"}, "second dataset to train on: DATASETS.MERGED"},
      {"--test_dataset", {"DATASETS.TEST"}, "dataset to score on: DATASETS.TEST"}};
  return all;
}

std::string text_of(const std::array<std::int64_t, 2>& size) {
  return fmt::format("[{}, {}]", size[0], size[1]);
}

void require_height(const char* flags, int height, const std::string& ratio) {
  VLREID_REQUIRE(height > 0 || ratio.empty(), ErrorKind::usage, flags, "a ratio without its height", "both",
                 "add the height");
}

} // namespace

std::array<std::int64_t, 2> size_of_flags(const char* flags, int height, const std::string& ratio) {
  const auto share = parse_real(ratio.empty() ? "0.5" : ratio);
  VLREID_REQUIRE(share && *share > 0 && *share <= 16, ErrorKind::usage, flags, "'" + ratio + "'",
                 "width divided by height, such as 0.5", "change it");
  return {height, static_cast<std::int64_t>(height * *share)};
}

void MultimodalFlags::define(Options& options) {
  options.heading("Multimodal-ReID's own flags");
  const OptionRules plain{.shows_default = false},
      size{.minimum = 0, .maximum = 4096, .shows_default = false};
  for (std::size_t i = 0; i < flags().size(); ++i)
    options.text(flags()[i].name, values_[i], flags()[i].help, plain);
  options.text("--training_mode", mode_,
               "MODEL.PROMPT; in a configuration of hard sharing coop or ivlp of it",
               {.choices = {"coop", "ivlp", "promptsrc", "adapter"}, .shows_default = false});
  options.text("--model", model_, "CLIP to start from: a file, or OpenAI's name (ViT-B/16): --weights",
               plain);
  options.number("--height", height_, "height of the input: INPUT.SIZE_TRAIN and SIZE_TEST", size);
  options.text("--ratio", ratio_, "its width divided by --height (0.5)", plain);
  options.number("--height_multitask", second_height_, "that of the second dataset: INPUT.SIZE_MERGED", size);
  options.text("--ratio_multitask", second_ratio_, "its width divided by --height_multitask (0.5)", plain);
  options.flag("--amp", is_half_, "mixed precision: --dtype fp16 on a GPU, bf16 on a CPU");
  options.flag("--augmented_template", is_augmented_, "refused: of zero-shot");
  options.flag("--mm", is_mixed_, "refused: of zero-shot");
  options.text("--clip_weights", checkpoint_, "refused: of zero-shot", plain);
  options.heading("");
}

void MultimodalFlags::refuse_other_programs() const {
  const auto refuse = [](bool is_given, const char* flag, const char* remedy) {
    VLREID_REQUIRE(!is_given, ErrorKind::usage, flag, "a flag of zero-shot, which does not train",
                   "none here", remedy);
  };
  refuse(is_augmented_, "--augmented_template",
         "for several sentences in training take MODEL.PROMPT coop_augmented");
  refuse(is_mixed_, "--mm", "give it to vlreid zero-shot");
  refuse(!checkpoint_.empty(), "--clip_weights", "name the weights to start from with --weights or --model");
}

// Bug 22: the reference takes all modes in its hard-sharing programs, and fails later in two of them.
std::string MultimodalFlags::method(const std::string& config_file) const {
  VLREID_REQUIRE(!config_file.empty(), ErrorKind::usage, "--training_mode", "no configuration beside it",
                 "one, for all that the flags leave open",
                 "add --config-file configs/multimodal/" + mode_ + ".yml");
  const bool is_shared = load_config(config_file).model.prompt.ends_with(kSharing);
  VLREID_REQUIRE(!is_shared || mode_ == "coop" || mode_ == "ivlp", ErrorKind::usage, "--training_mode",
                 "'" + mode_ + "' with hard sharing, which is not made for it", "coop or ivlp",
                 "change it, or take configs/multimodal/" + mode_ + ".yml");
  return mode_ + (is_shared ? kSharing : "");
}

std::string MultimodalFlags::weights() const {
  return model_.empty() ? "" : find_plain_clip(model_);
}

std::vector<std::string> MultimodalFlags::pairs(const std::string& config_file) const {
  refuse_other_programs();
  require_height("--ratio", height_, ratio_);
  require_height("--ratio_multitask", second_height_, second_ratio_);
  std::vector<std::string> made;
  for (std::size_t i = 0; i < flags().size(); ++i)
    for (const char* key : flags()[i].keys)
      if (!values_[i].empty()) made.insert(made.end(), {key, values_[i]});
  if (!mode_.empty()) made.insert(made.end(), {"MODEL.PROMPT", method(config_file)});
  if (height_ > 0)
    for (const char* key : {"INPUT.SIZE_TRAIN", "INPUT.SIZE_TEST"})
      made.insert(made.end(), {key, text_of(size_of_flags("--ratio", height_, ratio_))});
  if (second_height_ > 0)
    made.insert(made.end(), {"INPUT.SIZE_MERGED",
                             text_of(size_of_flags("--ratio_multitask", second_height_, second_ratio_))});
  if (std::string name = std::filesystem::path(model_).stem().string(); name.starts_with("RN"))
    made.insert(made.end(), {"MODEL.NAME", name, "INPUT.PIXEL_MEAN", "[0.485, 0.456, 0.406]",
                             "INPUT.PIXEL_STD", "[0.229, 0.224, 0.225]"});
  return made;
}

} // namespace vlreid
