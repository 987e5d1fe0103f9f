#include "vlreid/synth/canvas.h"
#include "vlreid/synth/material.h"

namespace vlreid {
namespace {

constexpr Vec3 kPlastic{0.025f, 0.025f, 0.028f};

bool is_within(float value, float middle, float half) {
  return std::abs(value - middle) < half;
}

float period(float value, float pitch) {
  return std::abs(value / pitch - std::round(value / pitch)) * pitch;
}

Vec3 wheel_at(const Material& m, Vec3 t) {
  const float radius = std::sqrt(t.z * t.z + t.y * t.y), turn = std::atan2(t.z, t.y) / (2 * kPi) * m.scale;
  if (radius > 0.66f) return m.colour;
  const bool is_spoke = std::abs(turn - std::round(turn)) < 0.28f || radius < 0.25f;
  return is_spoke ? m.second : m.colour;
}

// A number plate: characters as dark bars that depend on the seed.
Vec3 plate_at(const Material& m, float x, Vec3 ground) {
  const int column = static_cast<int>(std::floor((x + 0.2f) / 0.045f));
  return cell_value(column, 0, m.seed) > 0.45f ? ground * 0.15f : ground;
}

// Lamps, grille and plate of an end of the vehicle.
Vec3 end_at(const Material& m, Vec3 t, Vec3 paint) {
  const Bodywork& body = m.body;
  const bool is_front = t.z > 0;
  const float lamp = kLampHeight * body.belt, x = std::abs(t.x);
  if (x < 0.2f && is_within(t.y, kPlateHeight * body.belt, 0.06f))
    return plate_at(m, t.x, is_front ? Vec3{0.75f, 0.75f, 0.7f} : Vec3{0.7f, 0.6f, 0.12f});
  if (x > 0.56f && x < 0.95f && is_within(t.y, lamp, 0.09f))
    return is_front   ? Vec3{0.85f, 0.87f, 0.9f}
           : x > 0.8f ? Vec3{0.65f, 0.25f, 0.03f}
                      : Vec3{0.5f, 0.02f, 0.02f};
  if (x > 0.65f && x < 0.85f && is_front && is_within(t.y, 0.42f * body.belt, 0.04f))
    return {0.6f, 0.6f, 0.5f};
  if (is_front && x < 0.5f && is_within(t.y, lamp, 0.08f))
    return period(t.y, 0.05f) < 0.012f ? Vec3{0.3f, 0.3f, 0.3f} : kPlastic;
  return paint;
}

// Doors, wheel arches, stripe and mark of a flank.
Vec3 side_at(const Material& m, Vec3 t, Vec3 paint) {
  const Bodywork& body = m.body;
  const float z = t.z * body.half_length, axle = body.axle * body.half_length;
  const float dz = std::abs(z) - axle, dy = t.y - body.wheel;
  if (dz * dz + dy * dy < 1.25f * body.wheel * 1.25f * body.wheel) return {0.012f, 0.012f, 0.012f};
  if (body.has_stripe && is_within(t.y, (0.52f + 0.25f * m.shift) * body.belt, 0.07f)) return m.second;
  const float mark = (z - 0.4f * axle) / 0.45f, up = (t.y - 0.68f * body.belt) / 0.16f;
  if (body.has_mark && mark * mark + up * up < 1) return m.second;
  if (is_within(z, -0.05f, axle) && period(z + 0.05f, 1.0f) < 0.015f && t.y > 0.45f * body.belt)
    return paint * 0.35f;
  if (period(z + 0.25f, 1.0f) < 0.08f && is_within(t.y, 0.8f * body.belt, 0.02f) && is_within(z, 0, axle))
    return paint * 0.5f;
  return paint;
}

Vec3 bodywork_at(const Material& m, Vec3 t) {
  const Bodywork& body = m.body;
  Vec3 paint = m.colour;
  if (body.has_two_tone && t.y < 0.62f * body.belt) paint = m.second;
  if (t.y < (body.has_dark_bumpers ? 0.45f : 0.3f) * body.belt) paint = kPlastic;
  const bool is_end = std::abs(t.z) > 0.93f;
  return is_end ? end_at(m, t, paint) : std::abs(t.x) > 0.8f ? side_at(m, t, paint) : paint;
}

Vec3 glazing_at(const Material& m, Vec3 t) {
  const Glazing& glass = m.glass;
  if (t.y < glass.sill || t.y > glass.top) return m.colour;
  const float rise = (t.y - glass.sill) / (glass.top - glass.sill);
  const bool is_side = std::abs(t.x) > mix(0.9f, 0.74f, rise);
  const Vec3 pane = m.second * (0.8f + 0.9f * rise);
  if (!is_side) return std::abs(t.x) > mix(0.84f, 0.68f, rise) ? m.colour : pane;
  if (t.z < glass.rear || t.z > glass.front) return m.colour;
  return period(t.z - glass.front + 0.45f * glass.pillars, glass.pillars) < 0.022f ? m.colour * 0.6f : pane;
}

Vec3 sign_at(const Material& m, Vec3 t) {
  if (!m.body.has_mark) return m.colour;
  if (m.shift < 0.5f) return is_within(t.y, 0.1f, 0.25f) && std::abs(t.z) < 0.75f ? m.second : m.colour;
  return t.y * t.y / 0.25f + t.z * t.z / 0.3f < 1 ? m.second : m.colour;
}

} // namespace

Vec3 vehicle_colour_at(const Material& m, Vec3 t) {
  switch (m.pattern) {
  case Pattern::wheel:
    return wheel_at(m, t);
  case Pattern::bodywork:
    return bodywork_at(m, t);
  case Pattern::glazing:
    return glazing_at(m, t);
  case Pattern::sign:
    return sign_at(m, t);
  default:
    return m.colour;
  }
}

} // namespace vlreid
