// The joints of a made person in a pose, in the person's own frame: metres, facing +z, left at +x, feet on y
// = 0.
#pragma once

#include "vlreid/synth/body.h"

namespace vlreid {

struct Arm {
  Vec3 shoulder, elbow, wrist, hand;
};

struct Leg {
  Vec3 hip, knee, ankle, toe; // toe: tip of the foot
};

struct Skeleton {
  Arm arms[2]; // left, right
  Leg legs[2];
  Vec3 pelvis, neck, head; // head: centre
  Vec3 spine;              // direction from pelvis to neck
  Vec3 chest_forward;
  Vec3 head_side, head_up, head_forward;
};

Skeleton make_skeleton(const PersonLook& look, const Pose& pose);

// Half-widths of the bare trunk at a height above the pelvis, both in shares of the body height.
struct TrunkSection {
  float height, side, forward;
};
TrunkSection trunk_at(const PersonLook& look, float height);

} // namespace vlreid
