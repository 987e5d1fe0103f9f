#include "vlreid/synth/body_parts.h"

namespace vlreid {
namespace {

constexpr Vec3 kFront{0, 0, 1};

void add_shoe(Mesh& mesh, const PersonLook& look, const Leg& leg, const Wardrobe& wardrobe) {
  const float unit = look.height;
  const Vec3 forward = normalised(leg.toe - leg.ankle + Vec3{0, 0.02f * unit, 0});
  const Vec3 side = normalised(cross({0, 1, 0}, forward));
  add_blob(mesh,
           {.centre = mix(leg.ankle, leg.toe, 0.36f) - Vec3{0, 0.010f * unit, 0},
            .radii = Vec3{0.026f, 0.021f, 0.072f} * unit,
            .right = side,
            .up = cross(forward, side),
            .forward = forward,
            .roundness = 2.6f,
            .rows = 6,
            .columns = 10},
           wardrobe.shoes);
  if (!look.has_boots) return;
  add_limb(mesh,
           {.start = mix(leg.ankle, leg.knee, 0.55f),
            .end = leg.ankle - Vec3{0, 0.01f * unit, 0},
            .front = kFront,
            .start_radius = 0.041f * unit,
            .end_radius = 0.031f * unit},
           wardrobe.shoes);
}

void add_bare_leg(Mesh& mesh, const PersonLook& look, const Leg& leg, std::uint32_t skin) {
  const float unit = look.height * std::sqrt(look.build);
  add_limb(mesh, {leg.hip, leg.knee, kFront, 0.052f * unit, 0.034f * unit}, skin);
  add_limb(mesh,
           {.start = leg.knee,
            .end = leg.ankle,
            .front = kFront,
            .start_radius = 0.034f * unit,
            .end_radius = 0.021f * unit,
            .bulge = 0.006f * unit,
            .rows = 5},
           skin);
}

// A trouser leg, down to `share` of the shin (0: the knee); one tube, so that its texture runs along the
// whole leg.
void add_trouser_leg(Mesh& mesh, const PersonLook& look, const Leg& leg, float outer_side,
                     std::uint32_t cloth) {
  const float unit = look.height * std::sqrt(look.build);
  const bool is_short = look.lower == LowerKind::shorts;
  const bool is_narrow = look.gender == Gender::female || look.lower == LowerKind::jeans;
  const float ankle_radius = is_narrow ? 0.029f : 0.041f;
  std::vector<Ring> rings;
  const auto add_ring = [&](Vec3 centre, float radius) {
    rings.push_back({centre, {outer_side, 0, 0}, kFront, radius * unit, radius * 1.08f * unit});
  };
  add_ring(leg.hip + Vec3{0, 0.035f * unit, 0}, 0.056f);
  add_ring(leg.hip, 0.060f);
  add_ring(mix(leg.hip, leg.knee, 0.5f), is_short ? 0.058f : 0.052f);
  add_ring(mix(leg.hip, leg.knee, is_short ? 0.85f : 0.95f), is_short ? 0.058f : 0.044f);
  if (!is_short) {
    add_ring(mix(leg.knee, leg.ankle, 0.08f), 0.043f);
    add_ring(mix(leg.knee, leg.ankle, 0.5f), mix(0.043f, ankle_radius, 0.4f));
    add_ring(mix(leg.knee, leg.ankle, 0.97f), ankle_radius);
  }
  add_tube(mesh, rings, cloth, 2, 10);
}

void add_sleeve(Mesh& mesh, const PersonLook& look, const Arm& arm, const Wardrobe& wardrobe) {
  const float unit = look.height * std::sqrt(look.build);
  const bool is_thick = look.upper >= UpperKind::sweater;
  const float extra = is_thick ? 0.010f : 0.005f;
  add_blob(mesh,
           {.centre = arm.shoulder,
            .radii = Vec3{0.029f + extra, 0.029f + extra, 0.031f + extra} * unit,
            .rows = 6,
            .columns = 10},
           wardrobe.sleeve);
  std::vector<Ring> rings;
  const Vec3 axis = normalised(arm.elbow - arm.shoulder);
  const Vec3 side = normalised(cross(axis, kFront));
  const auto add_ring = [&](Vec3 centre, float radius) {
    rings.push_back({centre, side, cross(side, axis), (radius + extra) * unit, (radius + extra) * unit});
  };
  add_ring(arm.shoulder, 0.030f);
  add_ring(mix(arm.shoulder, arm.elbow, 0.35f), 0.031f);
  add_ring(mix(arm.shoulder, arm.elbow, 0.68f), look.has_long_sleeves ? 0.028f : 0.032f);
  if (look.has_long_sleeves) {
    add_ring(arm.elbow, 0.026f);
    add_ring(mix(arm.elbow, arm.wrist, 0.5f), 0.024f);
    add_ring(mix(arm.elbow, arm.wrist, 0.98f), 0.021f);
  }
  add_tube(mesh, rings, wardrobe.sleeve, 2, 10);
}

} // namespace

void add_legs(Mesh& mesh, const PersonLook& look, const Skeleton& s, const Wardrobe& wardrobe) {
  const bool wears_trousers = look.has_long_lower() || look.lower == LowerKind::shorts;
  for (int side = 0; side < 2; ++side) {
    const Leg& leg = s.legs[side];
    if (!look.has_long_lower()) add_bare_leg(mesh, look, leg, wardrobe.skin);
    if (wears_trousers) add_trouser_leg(mesh, look, leg, side == 0 ? 1.0f : -1.0f, wardrobe.lower);
    add_shoe(mesh, look, leg, wardrobe);
  }
  if (!wears_trousers) return;
  // The seat.
  std::vector<Ring> rings;
  for (int row = 0; row < 5; ++row) {
    const TrunkSection section = trunk_at(look, mix(-0.065f, 0.05f, static_cast<float>(row) / 4));
    rings.push_back({s.pelvis + Vec3{0, section.height * look.height, 0},
                     {1, 0, 0},
                     kFront,
                     (section.side + 0.006f) * look.height,
                     (section.forward + 0.006f) * look.height});
  }
  add_tube(mesh, rings, wardrobe.lower, 2.2f, 14);
}

void add_arms(Mesh& mesh, const PersonLook& look, const Skeleton& s, const Wardrobe& wardrobe) {
  const float unit = look.height * std::sqrt(look.build);
  for (const Arm& arm : s.arms) {
    if (!look.has_long_sleeves) {
      add_limb(mesh, {arm.shoulder, arm.elbow, kFront, 0.029f * unit, 0.023f * unit}, wardrobe.skin);
      add_limb(mesh, {arm.elbow, arm.wrist, kFront, 0.023f * unit, 0.016f * unit}, wardrobe.skin);
    }
    add_sleeve(mesh, look, arm, wardrobe);
    const Vec3 along = normalised(arm.hand - arm.wrist);
    const Vec3 side = normalised(cross(along, kFront));
    add_blob(mesh,
             {.centre = mix(arm.wrist, arm.hand, 0.5f),
              .radii = Vec3{0.015f, 0.034f, 0.023f} * look.height,
              .right = side,
              .up = along,
              .forward = cross(side, along),
              .rows = 5,
              .columns = 8},
             wardrobe.skin);
  }
}

} // namespace vlreid
