#include "vlreid/synth/material.h"

#include "vlreid/synth/canvas.h"

namespace vlreid {
namespace {

// 1 inside [-half, half], soft at the rim.
float band(float value, float half, float softness = 0.02f) {
  return 1 - smooth_step(half - softness, half + softness, std::abs(value));
}

// Position within a period, in [-0.5, 0.5].
float wave(float value) {
  return value - std::floor(value) - 0.5f;
}

// A sleeve, leg or torso texture: t.x the angle in [-1, 1], t.y the height in [0, 1].
float stripes_at(const Material& m, Vec3 t) {
  return band(wave(t.y * 7 * m.along * m.scale + m.shift), 0.25f, 0.06f);
}

float pinstripes_at(const Material& m, Vec3 t) {
  return band(wave(t.x * 9 * m.scale + m.shift), 0.16f, 0.06f);
}

Vec3 checks_at(const Material& m, Vec3 t) {
  const float across = band(wave(t.x * 6 * m.scale), 0.22f, 0.06f);
  const float along = band(wave(t.y * 6 * m.along * m.scale + m.shift), 0.22f, 0.06f);
  return mix(m.colour, m.second, 0.5f * (across + along));
}

float dots_at(const Material& m, Vec3 t) {
  const float v = t.y * 8 * m.along * m.scale + m.shift;
  const float row = std::floor(v);
  const float x = wave(t.x * 7 * m.scale + 0.5f * row), y = v - row - 0.5f;
  return 1 - smooth_step(0.24f, 0.34f, std::sqrt(x * x + y * y));
}

float logo_at(const Material& m, Vec3 t) {
  const float x = t.x - 0.16f * (m.shift > 0.5f ? 1.0f : -1.0f), y = t.y - 0.72f;
  return 1 - smooth_step(0.05f, 0.07f, std::sqrt(x * x + y * y));
}

// One of four pictures: disc, bars of a text, chevron, cross.
float print_at(const Material& m, Vec3 t) {
  const float x = t.x / 0.26f, y = (t.y - 0.66f) / (0.2f * m.scale);
  if (std::abs(x) > 1.1f || std::abs(y) > 1.1f) return 0;
  switch (static_cast<int>(m.shift * 4)) {
  case 0:
    return 1 - smooth_step(0.8f, 0.95f, std::sqrt(x * x + y * y));
  case 1: {
    const float line = band(wave(y * 1.5f), 0.26f, 0.05f);
    return line *
           band(x, 0.75f + 0.25f * cell_value(static_cast<int>(std::floor(y * 1.5f)), 0, m.seed), 0.05f);
  }
  case 2:
    return band(y - std::abs(x) * 0.6f + 0.2f, 0.3f, 0.05f) * band(x, 1);
  default:
    return std::max(band(x, 0.3f, 0.05f) * band(y, 1), band(y, 0.3f, 0.05f) * band(x, 1));
  }
}

// The front of a head in coordinates of the unit sphere: x to the left ear, y up, z forward.
Vec3 face_at(const Material& m, Vec3 t) {
  Vec3 colour = m.colour;
  if (t.z < 0.1f) return colour;
  const auto spot = [&](float x, float y, float width, float height) {
    const float dx = (std::abs(t.x) - x) / width, dy = (t.y - y) / height;
    return 1 - smooth_step(0.6f, 1.2f, dx * dx + dy * dy);
  };
  colour = mix(colour, m.colour * 0.55f, 0.5f * spot(0.0f, -0.12f, 0.14f, 0.12f)); // nose
  if (m.has_beard) colour = mix(colour, m.second, 0.85f * smooth_step(-0.25f, -0.42f, t.y));
  colour = mix(colour, Vec3{0.25f, 0.06f, 0.05f}, 0.7f * spot(0.0f, -0.42f, 0.3f, 0.09f)); // mouth
  colour = mix(colour, m.second * 0.6f, 0.8f * spot(0.36f, 0.3f, 0.24f, 0.07f));           // brows
  colour = mix(colour, Vec3{0.02f, 0.02f, 0.02f}, 0.9f * spot(0.36f, 0.12f, 0.17f, 0.1f)); // eyes
  if (m.has_glasses) colour = mix(colour, m.third, band(t.y - 0.12f, 0.15f, 0.05f));
  return colour;
}

} // namespace

Vec3 colour_at(const Material& m, Vec3 t) {
  switch (m.pattern) {
  case Pattern::plain:
    return m.colour;
  case Pattern::stripes:
    return mix(m.colour, m.second, stripes_at(m, t));
  case Pattern::pinstripes:
    return mix(m.colour, m.second, pinstripes_at(m, t));
  case Pattern::checks:
    return checks_at(m, t);
  case Pattern::dots:
    return mix(m.colour, m.second, dots_at(m, t));
  case Pattern::logo:
    return mix(m.colour, m.second, logo_at(m, t));
  case Pattern::big_print:
    return mix(m.colour, m.second, print_at(m, t));
  case Pattern::two_tone:
    return mix(m.colour, m.second, smooth_step(0.58f, 0.6f, t.y));
  case Pattern::side_panels:
    return mix(m.colour, m.second, band(std::abs(t.x) - 0.5f, 0.13f));
  case Pattern::side_stripe:
    return mix(m.colour, m.second, band(t.x - m.shift, 0.1f));
  case Pattern::open_front:
    return mix(m.colour, m.second, band(t.x, 0.05f + 0.1f * m.scale * (1 - 0.4f * t.y)));
  case Pattern::face:
    return face_at(m, t);
  case Pattern::wheel:
  case Pattern::bodywork:
  case Pattern::glazing:
  case Pattern::sign:
    return vehicle_colour_at(m, t);
  }
  return m.colour;
}

} // namespace vlreid
