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
  bodywork,    // lamps, grille, plate, doors; stripe and lower half in the second colour
  glazing,     // windows in the second colour between pillars
  sign,        // a box with its owner's mark in the second colour
};

// Of the patterns of vehicles, whose texture is the place on the vehicle: x and z as shares of half its width
// and length, y in metres.
struct Bodywork {
  float axle = 0.6f;        // z of the wheels, same share
  float wheel = 0.32f;      // radius, metres
  float belt = 0.9f;        // height of the lower edge of the windows, metres
  float half_length = 2.3f; // metres
  bool has_stripe = false, has_dark_bumpers = false, has_two_tone = false, has_mark = false;
};
struct Glazing {
  float sill = 1, top = 1.4f;       // metres
  float rear = -0.8f, front = 0.4f; // of the side windows, shares
  float pillars = 0.4f;             // distance, share
};

// Heights of lamps and number plates as shares of the belt's.
inline constexpr float kLampHeight = 0.68f, kPlateHeight = 0.45f;

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
  Bodywork body = {};
  Glazing glass = {};
};

// The colour of the surface itself at texture coordinates `t`.
Vec3 colour_at(const Material& material, Vec3 t);
// The same for the patterns of vehicles.
Vec3 vehicle_colour_at(const Material& material, Vec3 t);

} // namespace vlreid
