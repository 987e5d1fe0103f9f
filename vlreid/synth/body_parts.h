// The parts that add_person puts together; each adds its triangles in the person's own frame. Internal to the
// drawing of people.
#pragma once

#include "vlreid/synth/skeleton.h"

#include <cstdint>

namespace vlreid {

// Numbers of the materials of one person in the scene.
struct Wardrobe {
  std::uint32_t skin, upper, sleeve, collar, lower, skirt, shoes, hair, face, hat, scarf, backpack,
      shoulder_bag, handbag;
};

Wardrobe make_wardrobe(Scene& scene, const PersonLook& look);

void add_legs(Mesh& mesh, const PersonLook& look, const Skeleton& skeleton, const Wardrobe& wardrobe);
void add_trunk(Mesh& mesh, const PersonLook& look, const Skeleton& skeleton, const Wardrobe& wardrobe);
void add_arms(Mesh& mesh, const PersonLook& look, const Skeleton& skeleton, const Wardrobe& wardrobe);
void add_head(Mesh& mesh, const PersonLook& look, const Skeleton& skeleton, const Wardrobe& wardrobe);
void add_bags(Mesh& mesh, const PersonLook& look, const Skeleton& skeleton, const Wardrobe& wardrobe);

// A point of the clothed trunk: `angle` as in a tube's texture (0 front, 0.5 left, 1 back), `height` above
// the pelvis in shares of the body height.
Vec3 trunk_point(const PersonLook& look, const Skeleton& skeleton, float angle, float height,
                 float clearance);

} // namespace vlreid
