// Three-dimensional vectors for the made scenes, also used as linear RGB colours. The world is in metres: y
// up, the ground at y = 0, the subject at the origin, the camera on the +z side. A subject in its own frame
// faces +z, its left hand is at +x.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

namespace vlreid {

struct Vec3 {
  float x = 0, y = 0, z = 0;
};

inline Vec3 operator+(Vec3 a, Vec3 b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}
inline Vec3 operator-(Vec3 a, Vec3 b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
inline Vec3 operator*(Vec3 a, Vec3 b) {
  return {a.x * b.x, a.y * b.y, a.z * b.z};
}
inline Vec3 operator*(Vec3 a, float s) {
  return {a.x * s, a.y * s, a.z * s};
}
inline float dot(Vec3 a, Vec3 b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
inline float length(Vec3 a) {
  return std::sqrt(dot(a, a));
}
inline Vec3 normalised(Vec3 a) {
  return a * (1.0f / std::max(length(a), 1e-9f));
}
inline Vec3 mix(Vec3 a, Vec3 b, float t) {
  return a + (b - a) * t;
}
inline float mix(float a, float b, float t) {
  return a + (b - a) * t;
}
inline Vec3 cross(Vec3 a, Vec3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

// 0 below `low`, 1 above `high`, smooth between.
inline float smooth_step(float low, float high, float value) {
  const float t = std::clamp((value - low) / (high - low), 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

inline constexpr float kPi = std::numbers::pi_v<float>;

// A right-handed turn about the y axis: +z goes to +x at a quarter turn.
inline Vec3 turn_y(Vec3 p, float angle) {
  const float c = std::cos(angle), s = std::sin(angle);
  return {c * p.x + s * p.z, p.y, c * p.z - s * p.x};
}

// About the x axis: positive angles swing something that hangs down (-y) forward (+z).
inline Vec3 turn_x(Vec3 p, float angle) {
  const float c = std::cos(angle), s = std::sin(angle);
  return {p.x, c * p.y + s * p.z, c * p.z - s * p.y};
}

} // namespace vlreid
