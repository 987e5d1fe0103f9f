#include "vlreid/synth/skeleton.h"

#include <array>

namespace vlreid {
namespace {

// Lengths as shares of the body height, after the usual tables of body segments.
constexpr float kThigh = 0.245f, kShin = 0.245f, kAnkle = 0.04f, kFoot = 0.10f;
constexpr float kUpperArm = 0.175f, kForearm = 0.150f, kHand = 0.05f;
constexpr float kHipSide = 0.052f, kNeckHeight = 0.30f, kShoulderHeight = 0.247f, kHeadHeight = 0.395f;

Leg make_leg(const PersonLook& look, const Pose& pose, Vec3 pelvis, float side, float phase) {
  const float height = look.height;
  const float swing = pose.stride * std::sin(phase);
  // The knee bends most while the leg comes forward.
  const float bend = 0.06f + pose.stride * 1.1f * std::max(0.0f, std::cos(phase)) * 0.9f;
  Leg leg;
  leg.hip = pelvis + Vec3{side * kHipSide * height, -0.01f * height, 0};
  leg.knee = leg.hip + turn_x({side * -0.006f * height, -kThigh * height, 0}, swing + 0.3f * bend);
  leg.ankle = leg.knee + turn_x({side * -0.004f * height, -kShin * height, 0}, swing - 0.7f * bend);
  const float tilt = 0.35f * std::min(0.0f, swing - 0.7f * bend); // the heel lifts behind
  leg.toe = leg.ankle + turn_x({side * 0.018f * height, -0.028f * height, kFoot * height}, tilt);
  return leg;
}

Arm make_arm(const PersonLook& look, const Pose& pose, Vec3 shoulder, float side, float swing,
             bool is_raised) {
  const float height = look.height;
  const float spread = 0.12f + 0.12f * (look.build - 0.9f);
  const float bend = is_raised ? 1.9f : 0.25f + 0.35f * std::max(0.0f, swing);
  const float upper = is_raised ? 0.35f : swing;
  Arm arm;
  arm.shoulder = shoulder;
  const auto aside = [&](float reach) { return side * std::sin(spread) * reach; };
  arm.elbow = shoulder + turn_x({aside(kUpperArm) * height, -kUpperArm * std::cos(spread) * height, 0},
                                upper + pose.lean);
  arm.wrist =
      arm.elbow + turn_x({aside(is_raised ? -0.12f : 0.01f) * height, -kForearm * height, 0}, upper + bend);
  arm.hand = arm.wrist + normalised(arm.wrist - arm.elbow) * (kHand * height);
  return arm;
}

} // namespace

Skeleton make_skeleton(const PersonLook& look, const Pose& pose) {
  const float height = look.height;
  Skeleton s;
  s.pelvis = {0, (kThigh + kShin + kAnkle) * height, 0};
  for (int side = 0; side < 2; ++side)
    s.legs[side] =
        make_leg(look, pose, s.pelvis, side == 0 ? 1.0f : -1.0f, pose.phase + (side == 0 ? 0.0f : kPi));

  // The body sinks until the lower foot stands on the ground.
  const float lowest = std::min({s.legs[0].ankle.y, s.legs[1].ankle.y, s.legs[0].toe.y, s.legs[1].toe.y});
  const Vec3 drop{0, lowest - kAnkle * 0.4f * height, 0};
  s.pelvis = s.pelvis - drop;
  for (Leg& leg : s.legs)
    for (Vec3* joint : {&leg.hip, &leg.knee, &leg.ankle, &leg.toe})
      *joint = *joint - drop;

  s.spine = turn_x({0, 1, 0}, -pose.lean);
  s.chest_forward = turn_x({0, 0, 1}, -pose.lean);
  s.neck = s.pelvis + s.spine * (kNeckHeight * height);
  s.head = s.pelvis + s.spine * (kHeadHeight * height) + Vec3{0, 0, 0.012f * height};
  const float shoulder_side = trunk_at(look, 0.225f).side + 0.002f;
  for (int side = 0; side < 2; ++side) {
    const float sign = side == 0 ? 1.0f : -1.0f;
    const Vec3 shoulder =
        s.pelvis + s.spine * (kShoulderHeight * height) + Vec3{sign * shoulder_side * height, 0, 0};
    const float swing = -sign * pose.arm_swing * std::sin(pose.phase);
    s.arms[side] = make_arm(look, pose, shoulder, sign, swing, pose.holds_phone && side == 1);
  }
  const auto turn_head = [&](Vec3 axis) { return turn_y(turn_x(axis, -pose.head_nod), pose.head_turn); };
  s.head_side = turn_head({1, 0, 0}), s.head_up = turn_head({0, 1, 0}), s.head_forward = turn_head({0, 0, 1});
  return s;
}

TrunkSection trunk_at(const PersonLook& look, float height) {
  // From the crotch to the neck: male and female half-widths, depth.
  struct Row {
    float height, male, female, forward;
  };
  static constexpr std::array<Row, 9> kRows{{{-0.06f, 0.085f, 0.090f, 0.058f},
                                             {0.00f, 0.092f, 0.099f, 0.066f},
                                             {0.07f, 0.084f, 0.078f, 0.058f},
                                             {0.14f, 0.092f, 0.080f, 0.062f},
                                             {0.20f, 0.102f, 0.087f, 0.068f},
                                             {0.24f, 0.100f, 0.086f, 0.062f},
                                             {0.268f, 0.078f, 0.068f, 0.052f},
                                             {0.288f, 0.050f, 0.044f, 0.042f},
                                             {0.31f, 0.036f, 0.031f, 0.034f}}};
  std::size_t row = 1;
  while (row + 1 < kRows.size() && kRows[row].height < height)
    ++row;
  const Row &low = kRows[row - 1], &high = kRows[row];
  const float t = std::clamp((height - low.height) / (high.height - low.height), 0.0f, 1.0f);
  const bool is_male = look.gender == Gender::male;
  const float side = is_male ? mix(low.male, high.male, t) : mix(low.female, high.female, t);
  const float belly =
      1 + 0.5f * std::max(0.0f, look.build - 1) * std::exp(-40 * (height - 0.07f) * (height - 0.07f));
  const float girth =
      height > 0.27f ? mix(look.build, 1.0f, std::min(1.0f, (height - 0.27f) / 0.04f)) : look.build;
  return {height, side * girth, mix(low.forward, high.forward, t) * girth * belly};
}

} // namespace vlreid
