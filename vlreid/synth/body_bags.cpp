#include "vlreid/synth/body_parts.h"

namespace vlreid {
namespace {

// A strap over the clothed trunk through (angle, height) points, `width` in turns of the angle.
struct StrapPoint {
  float angle, height;
};

void add_strap(Mesh& mesh, const PersonLook& look, const Skeleton& s, std::span<const StrapPoint> path,
               float width, std::uint32_t material) {
  std::vector<SurfacePoint> points;
  constexpr int kSteps = 4; // between two points of the path
  int rows = 0;
  for (std::size_t i = 0; i + 1 < path.size(); ++i)
    for (int step = 0; step <= kSteps; ++step, ++rows) {
      const float t = static_cast<float>(step) / kSteps;
      const float angle = mix(path[i].angle, path[i + 1].angle, t),
                  height = mix(path[i].height, path[i + 1].height, t);
      for (const float side : {-0.5f, 0.5f})
        points.push_back({trunk_point(look, s, angle + side * width, height, 0.012f), {side, t, 0}});
    }
  add_grid(mesh, points, rows, 2, false, material);
}

void add_backpack(Mesh& mesh, const PersonLook& look, const Skeleton& s, std::uint32_t material) {
  const float unit = look.height, size = look.backpack.size;
  const Vec3 back = trunk_point(look, s, 1, 0.19f, 0);
  add_blob(mesh,
           {.centre = back - s.chest_forward * (0.03f * size * unit) - s.spine * (0.012f * unit),
            .radii = Vec3{0.085f, 0.125f, 0.055f} * (size * unit),
            .up = s.spine,
            .forward = s.chest_forward,
            .roundness = 3.2f,
            .rows = 10,
            .columns = 16},
           material);
  add_blob(mesh,
           {.centre = back - s.chest_forward * (0.075f * size * unit) - s.spine * (0.06f * unit),
            .radii = Vec3{0.06f, 0.055f, 0.03f} * (size * unit),
            .up = s.spine,
            .forward = s.chest_forward,
            .roundness = 3},
           material);
  for (const float side : {-1.0f, 1.0f}) {
    const StrapPoint path[] = {{side * 0.8f, 0.285f},
                               {side * 0.5f, 0.293f},
                               {side * 0.25f, 0.27f},
                               {side * 0.27f, 0.18f},
                               {side * 0.45f, 0.10f}};
    add_strap(mesh, look, s, path, 0.1f, material);
  }
}

// Hangs at the hip of `side`, its strap over the other shoulder.
void add_shoulder_bag(Mesh& mesh, const PersonLook& look, const Skeleton& s, std::uint32_t material) {
  const float unit = look.height, size = look.shoulder_bag.size;
  const float side = look.shoulder_bag.side == Side::left ? 1.0f : -1.0f;
  const Vec3 hip = trunk_point(look, s, side * 0.56f, 0.0f, 0.02f);
  add_blob(mesh,
           {.centre = hip + Vec3{side * 0.03f, -0.03f, 0} * unit,
            .radii = Vec3{0.035f, 0.062f, 0.085f} * (size * unit),
            .roundness = 3.4f,
            .rows = 10,
            .columns = 16},
           material);
  const StrapPoint front[] = {
      {side * 0.5f, 0.03f}, {side * 0.1f, 0.16f}, {-side * 0.3f, 0.28f}, {-side * 0.5f, 0.294f}};
  const StrapPoint back[] = {
      {side * 0.55f, 0.03f}, {side * 0.9f, 0.16f}, {side * 1.3f, 0.28f}, {side * 1.5f, 0.294f}};
  add_strap(mesh, look, s, front, 0.09f, material);
  add_strap(mesh, look, s, back, 0.09f, material);
}

void add_handbag(Mesh& mesh, const PersonLook& look, const Skeleton& s, std::uint32_t material) {
  const float unit = look.height, size = look.handbag.size;
  const Vec3 hand = s.arms[look.handbag.side == Side::left ? 0 : 1].hand;
  const Vec3 top = hand - Vec3{0, 0.012f * unit, 0};
  add_blob(mesh,
           {.centre = top - Vec3{0, (0.045f + 0.06f * size) * unit, 0},
            .radii = Vec3{0.032f, 0.062f, 0.08f} * (size * unit),
            .roundness = 3.4f,
            .rows = 10,
            .columns = 16},
           material);
  for (const float end : {-1.0f, 1.0f})
    add_limb(mesh,
             {.start = top,
              .end = top + Vec3{0, -0.06f, end * 0.05f * size} * unit,
              .front = {1, 0, 0},
              .start_radius = 0.005f * unit,
              .end_radius = 0.005f * unit,
              .rows = 2},
             material);
}

} // namespace

void add_bags(Mesh& mesh, const PersonLook& look, const Skeleton& s, const Wardrobe& wardrobe) {
  if (look.backpack.is_worn) add_backpack(mesh, look, s, wardrobe.backpack);
  if (look.shoulder_bag.is_worn) add_shoulder_bag(mesh, look, s, wardrobe.shoulder_bag);
  if (look.handbag.is_worn) add_handbag(mesh, look, s, wardrobe.handbag);
}

} // namespace vlreid
