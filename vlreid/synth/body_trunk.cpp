#include "vlreid/synth/body_parts.h"

#include <array>

namespace vlreid {
namespace {

// How a garment sits, in shares of the body height.
struct Cut {
  float thickness; // over the body
  float hem;       // above the pelvis; negative: below
  float looseness; // 1: hangs straight from the chest, 0: follows the waist
};

Cut cut_of(UpperKind kind) {
  switch (kind) {
  case UpperKind::t_shirt:
    return {0.007f, -0.035f, 0.6f};
  case UpperKind::polo:
    return {0.007f, -0.03f, 0.5f};
  case UpperKind::shirt:
    return {0.009f, -0.045f, 0.7f};
  case UpperKind::sweater:
    return {0.013f, -0.03f, 0.7f};
  case UpperKind::hoodie:
    return {0.018f, -0.035f, 0.8f};
  case UpperKind::jacket:
    return {0.018f, -0.04f, 0.7f};
  case UpperKind::coat:
    return {0.019f, -0.2f, 0.9f};
  }
  return {0.008f, -0.035f, 0.6f};
}

TrunkSection garment_at(const PersonLook& look, float height) {
  Cut cut = cut_of(look.upper);
  if (look.wears_dress()) cut.looseness = 0.15f;
  const TrunkSection body = trunk_at(look, height), chest = trunk_at(look, 0.2f);
  const float straight = height < 0.2f ? cut.looseness : 0;
  TrunkSection section = body;
  section.side = std::max(body.side, mix(body.side, chest.side * 0.97f, straight)) + cut.thickness;
  section.forward = std::max(body.forward, mix(body.forward, chest.forward, straight)) + cut.thickness;
  if (height < -0.03f) { // a coat's skirt leaves room for the legs
    const float flare = (-0.03f - height) * 0.14f;
    section.side += flare, section.forward += flare;
  }
  return section;
}

Ring ring_at(const PersonLook& look, const Skeleton& s, const TrunkSection& section) {
  // What hangs below the pelvis hangs straight down.
  const Vec3 axis = section.height > 0 ? s.spine : Vec3{0, 1, 0};
  return {s.pelvis + axis * (section.height * look.height),
          {1, 0, 0},
          s.chest_forward,
          section.side * look.height,
          section.forward * look.height};
}

// Widens a section of cloth so that the thighs, wherever the step has them, stay inside.
void drape(const PersonLook& look, const Skeleton& s, Ring& ring) {
  const float thigh = (0.062f * std::sqrt(look.build) + 0.006f) * look.height;
  float front = ring.centre.z + ring.radius_forward, back = ring.centre.z - ring.radius_forward;
  for (const Leg& leg : s.legs) {
    const float t = (leg.hip.y - ring.centre.y) / std::max(leg.hip.y - leg.knee.y, 0.01f);
    if (t < -0.1f) continue;
    const float z = mix(leg.hip.z, leg.knee.z, std::min(t, 1.0f));
    front = std::max(front, z + thigh), back = std::min(back, z - thigh);
  }
  ring.centre.z = 0.5f * (front + back), ring.radius_forward = 0.5f * (front - back);
}

// From the waist to the knees.
void add_skirt(Mesh& mesh, const PersonLook& look, const Skeleton& s, std::uint32_t material) {
  constexpr float kHem = -0.235f, kWaist = 0.06f;
  std::vector<Ring> rings;
  for (int row = 0; row < 6; ++row) {
    const float height = mix(kHem, kWaist, static_cast<float>(row) / 5);
    TrunkSection section = trunk_at(look, std::max(height, -0.06f));
    const float down = std::clamp(-height / -kHem, 0.0f, 1.0f);
    section.height = height;
    section.side += 0.010f + 0.030f * down;
    section.forward += 0.010f + 0.030f * down;
    rings.push_back(ring_at(look, s, section));
    drape(look, s, rings.back());
  }
  add_tube(mesh, rings, material, 2.2f, 16);
}

void add_collar(Mesh& mesh, const PersonLook& look, const Skeleton& s, const Wardrobe& wardrobe) {
  const float unit = look.height;
  const auto ring = [&](float height, float radius, float back) {
    return Ring{s.pelvis + s.spine * (height * unit) + Vec3{0, 0, -back * unit},
                {1, 0, 0},
                s.chest_forward,
                radius * unit,
                radius * unit};
  };
  const bool has_collar = look.upper == UpperKind::polo || look.upper == UpperKind::shirt ||
                          look.upper == UpperKind::jacket || look.upper == UpperKind::coat;
  if (has_collar) {
    const std::array<Ring, 3> rings{ring(0.292f, 0.05f, 0), ring(0.305f, 0.043f, 0.003f),
                                    ring(0.325f, 0.040f, 0.008f)};
    add_tube(mesh, rings, wardrobe.collar, 2, 10);
  }
  if (look.upper == UpperKind::hoodie)
    add_blob(mesh,
             {.centre = s.pelvis + s.spine * (0.298f * unit) - s.chest_forward * (0.045f * unit),
              .radii = Vec3{0.062f, 0.035f, 0.042f} * unit,
              .rows = 6},
             wardrobe.collar);
  if (look.has_scarf) {
    const std::array<Ring, 4> rings{ring(0.288f, 0.060f, 0), ring(0.305f, 0.066f, 0), ring(0.325f, 0.060f, 0),
                                    ring(0.338f, 0.045f, 0)};
    add_tube(mesh, rings, wardrobe.scarf, 2, 12);
    add_limb(mesh,
             {.start = trunk_point(look, s, 0.1f, 0.29f, 0.012f),
              .end = trunk_point(look, s, 0.12f, 0.16f, 0.012f),
              .front = s.chest_forward,
              .start_radius = 0.02f * unit,
              .end_radius = 0.024f * unit},
             wardrobe.scarf);
  }
}

} // namespace

Vec3 trunk_point(const PersonLook& look, const Skeleton& s, float angle, float height, float clearance) {
  const Ring ring = ring_at(look, s, garment_at(look, height));
  const float extra = clearance * look.height;
  return ring.centre + ring.side * (std::sin(kPi * angle) * (ring.radius_side + extra)) +
         ring.forward * (std::cos(kPi * angle) * (ring.radius_forward + extra));
}

void add_trunk(Mesh& mesh, const PersonLook& look, const Skeleton& s, const Wardrobe& wardrobe) {
  const float hem = look.wears_dress() ? 0.02f : cut_of(look.upper).hem;
  constexpr float kTop = 0.305f;
  constexpr int kRows = 12;
  std::vector<Ring> rings;
  for (int row = 0; row < kRows; ++row) {
    const float height = mix(hem, kTop, static_cast<float>(row) / (kRows - 1));
    rings.push_back(ring_at(look, s, garment_at(look, height)));
    drape(look, s, rings.back());
  }
  add_tube(mesh, rings, wardrobe.upper, 2.2f, 18);
  add_limb(mesh,
           {.start = s.pelvis + s.spine * (0.27f * look.height),
            .end = s.head - s.head_up * (0.03f * look.height),
            .front = s.chest_forward,
            .start_radius = 0.040f * look.height,
            .end_radius = 0.032f * look.height},
           wardrobe.skin);
  add_collar(mesh, look, s, wardrobe);
  if (look.wears_dress() || look.lower == LowerKind::skirt) add_skirt(mesh, look, s, wardrobe.skirt);
}

} // namespace vlreid
