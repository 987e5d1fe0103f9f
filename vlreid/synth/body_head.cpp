#include "vlreid/synth/body_parts.h"

namespace vlreid {
namespace {

// Radii of a head as shares of the body height.
constexpr Vec3 kHead{0.047f, 0.068f, 0.058f};

class HeadBuilder {
public:
  HeadBuilder(Mesh& mesh, const PersonLook& look, const Skeleton& s) : mesh_(mesh), look_(look), s_(s) {}

  // A blob in head coordinates: centre and radii in multiples of the head's own.
  void add(Vec3 centre, Vec3 radii, std::uint32_t material, float roundness = 2, float lowest = -1) {
    add_blob(mesh_,
             {.centre = place(centre),
              .radii = radii * kHead * look_.height,
              .right = s_.head_side,
              .up = s_.head_up,
              .forward = s_.head_forward,
              .roundness = roundness,
              .lowest = lowest},
             material);
  }

  Vec3 place(Vec3 local) const {
    const Vec3 p = local * kHead * look_.height;
    return s_.head + s_.head_side * p.x + s_.head_up * p.y + s_.head_forward * p.z;
  }

private:
  Mesh& mesh_;
  const PersonLook& look_;
  const Skeleton& s_;
};

void add_long_hair(HeadBuilder& head, const PersonLook& look, const Wardrobe& wardrobe) {
  switch (look.hair) {
  case HairStyle::bob:
    head.add({0, -0.25f, -0.3f}, {1.17f, 0.85f, 0.9f}, wardrobe.hair, 2.4f);
    break;
  case HairStyle::long_loose:
    head.add({0, -0.25f, -0.3f}, {1.15f, 0.9f, 0.88f}, wardrobe.hair, 2.3f);
    head.add({0, -1.2f, -0.55f}, {1.1f, 1.35f, 0.5f}, wardrobe.hair, 2.5f);
    break;
  case HairStyle::ponytail:
    head.add({0, 0.25f, -1.1f}, {0.3f, 0.3f, 0.35f}, wardrobe.hair);
    head.add({0, -0.65f, -1.22f}, {0.32f, 0.95f, 0.3f}, wardrobe.hair);
    break;
  case HairStyle::bun:
    head.add({0, 0.75f, -0.85f}, {0.5f, 0.4f, 0.5f}, wardrobe.hair);
    break;
  default:
    break;
  }
}

void add_hair(HeadBuilder& head, const PersonLook& look, const Wardrobe& wardrobe) {
  if (look.hair == HairStyle::bald) return;
  const bool is_cropped = look.hair == HairStyle::cropped;
  // A cap that stands back from the face, so that the face keeps a forehead.
  const float thickness = is_cropped ? 1.03f : 1.12f;
  head.add({0, 0.16f, -0.18f}, Vec3{thickness, is_cropped ? 0.92f : 0.98f, 0.98f * thickness}, wardrobe.hair,
           2, -0.55f);
  add_long_hair(head, look, wardrobe);
}

void add_hat(HeadBuilder& head, const PersonLook& look, const Wardrobe& wardrobe) {
  switch (look.hat) {
  case HatKind::none:
    break;
  case HatKind::cap:
    head.add({0, 0.32f, -0.06f}, {1.16f, 0.85f, 1.16f}, wardrobe.hat, 2.2f, 0);
    head.add({0, 0.38f, 1.15f}, {0.85f, 0.07f, 0.75f}, wardrobe.hat, 2.3f);
    break;
  case HatKind::beanie:
    head.add({0, 0.3f, -0.1f}, {1.18f, 0.98f, 1.18f}, wardrobe.hat, 2.1f, -0.15f);
    break;
  case HatKind::sun_hat:
    head.add({0, 0.45f, -0.05f}, {1.1f, 0.8f, 1.1f}, wardrobe.hat, 2.4f, 0);
    head.add({0, 0.45f, -0.05f}, {2.1f, 0.09f, 2.0f}, wardrobe.hat);
    break;
  }
}

} // namespace

void add_head(Mesh& mesh, const PersonLook& look, const Skeleton& s, const Wardrobe& wardrobe) {
  HeadBuilder head(mesh, look, s);
  head.add({0, 0, 0}, {1, 1, 1}, wardrobe.face);
  head.add({0, -0.1f, 1.0f}, {0.16f, 0.2f, 0.16f}, wardrobe.skin);
  if (look.hair < HairStyle::bob)
    for (const float side : {-1.0f, 1.0f})
      head.add({side, 0, -0.05f}, {0.14f, 0.25f, 0.2f}, wardrobe.skin);
  add_hair(head, look, wardrobe);
  add_hat(head, look, wardrobe);
}

} // namespace vlreid
