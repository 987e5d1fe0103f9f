// PersonLook + Pose -> triangles: a jointed figure of tubes and blobs with clothes, hair, hat and bags,
// standing on the ground at the origin and facing +z. What a camera sees of it from any side follows from the
// geometry.
#pragma once

#include "vlreid/base/random.h"
#include "vlreid/synth/person.h"
#include "vlreid/synth/render.h"

namespace vlreid {

struct Pose {
  float phase = 0;      // of the step, radians
  float stride = 0.45f; // how far the legs swing, radians; 0: standing
  float arm_swing = 0.4f;
  float lean = 0.04f; // of the trunk, forward
  float head_turn = 0, head_nod = 0;
  bool holds_phone = false; // right forearm raised
};

Pose make_pose(Random& random);

// Where the person stands (on the ground) and faces: 0 towards the camera, growing to the image's right.
struct Placement {
  Vec3 position;
  float yaw = 0;
};

void add_person(Scene& scene, const PersonLook& look, const Pose& pose, const Placement& placement);

} // namespace vlreid
