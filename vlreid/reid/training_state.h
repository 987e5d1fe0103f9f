// Weights to start a training from -> the StateDict of the whole model that will be trained, under
// CLIP-ReID's names: what the file has stays, what it lacks is made as the references initialise it
// (classifiers normal 0.001, necks 1, SIE table truncated normal 0.02, prompts normal 0.02 around the
// embedded sentence, LoRA A Kaiming-uniform and B zero). Starts from a plain CLIP, or from a checkpoint of
// stage 1 or 2. spec/reference-behaviour.md, sections 2 to 4.
#pragma once

#include "vlreid/nn/position.h"
#include "vlreid/weights/state_dict.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vlreid {

// FT's block lists by name ("all", "top3", "half-up", ...) for an encoder of `depth` blocks; a config error
// for a name that the encoder does not know.
std::vector<std::int64_t> lora_blocks(const std::string& position, std::int64_t depth, bool is_text);

struct TrainingStateOptions {
  std::int64_t identities = 0;
  std::int64_t sie_rows = 0;   // of cv_embed; 0: none
  std::string prompt = "none"; // none, clipreid, ted: "none" leaves the text side out altogether
  std::string word = "person"; // in the sentence
  Grid image = {256, 128};     // pixels; the positional table is resized to it
  std::int64_t stride = 16;
  PositionResize resize = PositionResize::bilinear;
  bool keeps_logit_scale = false; // FT has it in its files
  bool uses_lora = false;
  std::string lora_encoder = "vision", lora_position = "all";
  std::vector<std::string> lora_projections = {"q", "k", "v"};
  std::int64_t lora_rank = 2;
  std::uint64_t seed = 1234;
  // Heads, prompts and tables of another number of identities or cameras are made anew instead of refused:
  // fine-tuning on another data set.
  bool replaces_other_sizes = false;
};

StateDict training_state(const StateDict& weights, const TrainingStateOptions& options,
                         const std::string& place);

} // namespace vlreid
