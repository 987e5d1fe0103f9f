// Weights to start a training from -> the StateDict of the whole model that will be trained, under
// CLIP-ReID's names: what the file has stays, what it lacks is made as the references initialise it
// (classifiers normal 0.001, necks 1, SIE table truncated normal 0.02, prompts normal 0.02 around the
// embedded sentence, LoRA A Kaiming-uniform and B zero). Starts from a plain CLIP, or from a checkpoint of
// stage 1 or 2. spec/reference-behaviour.md, sections 2 to 4.
#pragma once

#include "vlreid/nn/position.h"
#include "vlreid/weights/naming.h"

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
  std::string prompt = "none"; // of text/templates.h; "none" leaves the text side out altogether
  // In the sentence, or one for each identity: a sentence of its own.
  std::vector<std::string> words = {"person"};
  Grid image = {256, 128}; // pixels; the positional table is resized to it
  std::int64_t stride = 16;
  PositionResize resize = PositionResize::bilinear;
  bool keeps_logit_scale = false; // FT has it in its files
  // Multimodal-ReID: its names; learned tokens of each block in both encoders (VPT, VPT_shallow), taken from
  // `deep_prompt_weights` where that has them; the adapter on `feature`; a second image encoder that stays as
  // it is, of `frozen_weights` or else of the same weights, with a stride or else that of its patches.
  Family names = Family::clip_reid;
  std::int64_t deep_prompts = 0;
  StateDict deep_prompt_weights = {};
  bool adapts_feature = false;
  bool keeps_frozen_encoder = false;
  std::int64_t frozen_stride = 0;
  StateDict frozen_weights = {};
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
