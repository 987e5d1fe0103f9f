// The tables behind naming.h: one row per tensor or group of tensors, theirs against the middle form
// ("ours").
//
//     {"vision_model.encoder.layers.{n}.mlp.fc1.*", "visual.transformer.resblocks.{n}.mlp.c_fc.*"}
//
// {n} stands for a block number, a * at the end for the rest of the name, {qkv} for q, k or v. The first row
// that fits counts.
#pragma once

#include <span>
#include <string_view>

namespace vlreid {

struct NameRule {
  enum class Change {
    none,
    transpose, // [a, b] there is [b, a] here
    pack,      // q, k and v there are one tensor here, in this order along the first side
    drop,      // left out: follows from the shapes (the other side is empty)
  };
  std::string_view theirs;
  std::string_view ours;
  Change change = Change::none;
};

std::span<const NameRule> clip_reid_names();
std::span<const NameRule> mm_names();
std::span<const NameRule> hf_names();

} // namespace vlreid
