// The weights that zero-shot retrieval runs: image and text towers of a checkpoint of any family over the
// words of the plain CLIP that it grew from, at any input size. spec/multimodal.md, sections 10 and 14 (bugs
// 2, 3, 14).
//
//     const ZeroShotWeights weights = zero_shot_weights({.weights = "clip_model_weight_59.pth", .words =
//     "ViT-B-16.pt"});
//
// A checkpoint keeps no token embedding, so a sentence needs `words`; a plain CLIP has both. Camera and view
// embeddings are left out, since zero-shot is for other cameras. Plain functions.
#pragma once

#include "vlreid/nn/position.h"
#include "vlreid/weights/state_dict.h"

#include <optional>
#include <string>

namespace vlreid {

struct ZeroShotRequest {
  std::string weights;            // file: a checkpoint, or a plain CLIP
  std::string words = {};         // file of a plain CLIP; "": sentences only if `weights` can read them
  std::optional<Grid> image = {}; // pixels; open: what the checkpoint was trained with
  std::optional<std::int64_t> stride = {}; // of a ViT's patches; open: the checkpoint's
  std::string mode = {}; // "coop", "ivlp", "promptsrc" or "adapter": refused where the tensors say otherwise
};

struct ZeroShotWeights {
  StateDict state;     // OpenAI's names; the positional embedding is resized bicubically
  Grid image;          // pixels
  std::int64_t stride; // of the patches; 16 for a ResNet
};

ZeroShotWeights zero_shot_weights(const ZeroShotRequest& request);

// The file of --model: a path; or one of OpenAI's names ("ViT-B/16"), looked for where OpenAI's program keeps
// its downloads. Throws Error(missing) with the places.
std::string find_plain_clip(const std::string& name_or_path);

} // namespace vlreid
