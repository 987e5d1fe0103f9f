// Contrastive pre-training of a CLIP on images and captions (Radford et al. 2021): symmetric InfoNCE with a
// learned temperature, from scratch (PRETRAIN.SIZES) or from weights. One stage of the machinery that trains
// the methods, so its folder holds the same files and is gone on with in the same way; checkpoints are plain
// CLIPs under OpenAI's names, which every verb takes as weights. From scratch, the projections of the last
// file (clip.pth) are scaled so that products of raw features are the logits.
#pragma once

#include "vlreid/train/recipe.h"
#include "vlreid/train/run.h"
#include "vlreid/weights/state_dict.h"

#include <span>

namespace vlreid {

class ReidModel;

// What pre-training starts from where it does not suit to have the defaults of the references; KEY VALUE
// pairs go over it.
Config pretraining_config(std::span<const std::string> key_value_pairs);

Stage pretraining_stage(const Config& config);

// REQUIRES: config.output_dir. options.only_stage is not used. Errors as of train().
void pretrain(const Config& config, const TrainOptions& options);

// The model's weights as a plain CLIP. REQUIRES: a model made from one. The positional table becomes a square
// that resizes bilinearly to the model's own image size bit by bit.
StateDict plain_clip(ReidModel& model);

} // namespace vlreid
