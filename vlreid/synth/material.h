// What covers a surface: colours and a pattern in the surface's own texture coordinates, so that a print on a
// chest is seen from the front only and stripes run around the body.
#pragma once

#include "vlreid/synth/geometry.h"

#include <cstdint>

namespace vlreid {

enum class Pattern {
  plain,
  stripes,    // around the body
  pinstripes, // along it
  checks,
  dots,
  logo,        // a small mark on the chest, texture (0, 0.72)
  big_print,   // a large picture on the chest
  two_tone,    // upper half in the second colour
  side_panels, // flanks in the second colour
  side_stripe, // a narrow line down the outside
  open_front,  // unbuttoned: the second colour shows in a strip at the front
  face,        // eyes, brows, mouth; second colour: hair (for a beard), third: glasses
  wheel,       // tyre, rim in the second colour
};

struct Material {
  Vec3 colour{0.5f, 0.5f, 0.5f};
  Pattern pattern = Pattern::plain;
  Vec3 second = {}, third = {};
  float scale = 1, shift = 0;
  float along = 1; // length over circumference of the surface, against a trunk's, so that dots stay round
  float folds = 0; // strength of the creases of cloth
  float gloss = 0; // of paint, leather and glass
  std::uint64_t seed = 0;
  bool has_beard = false, has_glasses = false;
};

// The colour of the surface itself at texture coordinates `t`.
Vec3 colour_at(const Material& material, Vec3 t);

} // namespace vlreid
