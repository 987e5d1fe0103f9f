// Names of the same tensor in the families of checkpoints. The middle form, to and from which everything is
// renamed, is OpenAI's for CLIP itself (visual.*, transformer.*, token_embedding.weight, ...) and CLIP-ReID's
// for the rest (bottleneck.*, classifier.*, prompt_learner.*, cv_embed). One table per family:
// naming_<family>.cpp.
//
//     openai     OpenAI's archives; open_clip's ViT checkpoints have the same names
//     clip_reid  image_encoder.*, text_encoder.*, bottleneck.*, classifier.* (CLIP-ReID and FT)
//     mm         as clip_reid, but vision_bottleneck.*, vision_classifier.*
//     hf         Hugging Face CLIP: vision_model.*, text_model.*, q, k and v apart, projections transposed
#pragma once

#include "vlreid/weights/state_dict.h"

#include <optional>
#include <string>
#include <string_view>

namespace vlreid {

enum class Family { openai, clip_reid, mm, hf };

// "openai", "clip-reid", "mm", "hf"
std::string_view name_of(Family family);
// The same words, and "ft" (clip-reid) and "open_clip" (openai); nothing for another word.
std::optional<Family> parse_family(std::string_view text);

// From the names; a data error (with `place`) when no family has them, and for open_clip's timm towers
// (visual.trunk.*).
Family detect_family(const StateDict& state, const std::string& place);

// Names as they are in `to`. Tensors that no table knows keep their name. OpenAI's three integers and Hugging
// Face's position_ids, which follow from the shapes, are left out for families that do not have them.
StateDict rename(const StateDict& state, Family from, Family to, const std::string& place);
inline StateDict to_openai(const StateDict& state, Family from, const std::string& place) {
  return rename(state, from, Family::openai, place);
}

} // namespace vlreid
