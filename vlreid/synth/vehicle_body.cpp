#include "vlreid/synth/vehicle_body.h"

namespace vlreid {
namespace {

// Metres. The cabin is given by where it starts and ends on the body at belt height and at the roof (z,
// forward positive).
struct Dimensions {
  float length, width, belt, roof;
  float rear_belt, front_belt, rear_roof, front_roof;
  float wheel, wheelbase;
  float nose; // how much lower the bonnet's end is than the belt
};

Dimensions dimensions_of(const VehicleLook& look) {
  Dimensions d{};
  switch (look.kind) {
  case VehicleKind::sedan:
    d = {4.6f, 1.8f, 0.92f, 1.45f, -1.65f, 0.95f, -0.95f, 0.25f, 0.32f, 2.7f, 0.12f};
    break;
  case VehicleKind::suv:
    d = {4.5f, 1.9f, 1.08f, 1.75f, -2.1f, 0.85f, -1.85f, 0.25f, 0.37f, 2.7f, 0.08f};
    break;
  case VehicleKind::van:
    d = {4.9f, 1.95f, 1.1f, 2.1f, -2.4f, 1.75f, -2.35f, 1.05f, 0.33f, 3.0f, 0.15f};
    break;
  case VehicleKind::hatchback:
    d = {3.9f, 1.72f, 0.92f, 1.48f, -1.85f, 0.85f, -1.45f, 0.2f, 0.31f, 2.5f, 0.12f};
    break;
  case VehicleKind::mpv:
    d = {4.5f, 1.82f, 1.0f, 1.7f, -2.15f, 1.35f, -1.95f, 0.4f, 0.32f, 2.8f, 0.18f};
    break;
  case VehicleKind::pickup:
    d = {5.2f, 1.88f, 1.02f, 1.75f, -0.6f, 1.15f, -0.5f, 0.55f, 0.38f, 3.2f, 0.08f};
    break;
  case VehicleKind::bus:
    d = {9.5f, 2.5f, 1.25f, 3.0f, -4.7f, 4.7f, -4.65f, 4.55f, 0.48f, 5.4f, 0};
    break;
  case VehicleKind::truck:
    d = {6.4f, 2.2f, 1.2f, 2.3f, 1.3f, 3.15f, 1.35f, 2.75f, 0.42f, 3.7f, 0};
    break;
  case VehicleKind::estate:
    d = {4.7f, 1.8f, 0.92f, 1.47f, -2.25f, 0.95f, -1.95f, 0.25f, 0.32f, 2.75f, 0.12f};
    break;
  }
  for (float* length : {&d.length, &d.rear_belt, &d.front_belt, &d.rear_roof, &d.front_roof, &d.wheelbase})
    *length *= look.stretch;
  return d;
}

class VehicleBuilder {
public:
  VehicleBuilder(Scene& scene, const VehicleLook& look)
      : scene_(scene), mesh_(scene.mesh), look_(look), d_(dimensions_of(look)) {}

  void build() {
    add_body();
    add_cabin();
    add_wheels();
    add_load();
    add_extras();
  }

private:
  std::uint32_t plain(Vec3 colour, float gloss) { return scene_.add({.colour = colour, .gloss = gloss}); }

  // A horizontal slice: a rectangle with round corners from z = rear to front.
  Ring slice(float height, float rear, float front, float width) const {
    return {{0, height, 0.5f * (rear + front)}, {1, 0, 0}, {0, 0, 1}, 0.5f * width, 0.5f * (front - rear)};
  }

  // Puts the place on the vehicle into the texture, which the materials of vehicles read: x and z as shares
  // of half the width and length, y in metres.
  void texture_by_place(std::size_t first) {
    for (std::size_t i = first; i < mesh_.vertices.size(); ++i) {
      const Vec3 p = mesh_.vertices[i].position;
      mesh_.vertices[i].texture = {p.x / (0.5f * d_.width), p.y, p.z / (0.5f * d_.length)};
    }
  }

  void add_body() {
    const float half = 0.5f * d_.length;
    const float y0 = 0.55f * d_.wheel, middle = 0.6f * d_.belt;
    const std::size_t first = mesh_.vertices.size();
    const Ring rings[] = {slice(y0, -half * 0.96f, half * 0.96f, d_.width * 0.9f),
                          slice(y0 + 0.1f, -half, half, d_.width * 0.97f),
                          slice(middle, -half, half, d_.width),
                          slice(d_.belt - 0.08f, -half * 0.985f, half * 0.98f, d_.width * 0.985f),
                          slice(d_.belt, -half * 0.94f, half * 0.92f, d_.width * 0.92f),
                          slice(d_.belt + 0.015f, -half * 0.5f, half * 0.5f, d_.width * 0.5f),
                          slice(d_.belt + 0.02f, 0, 0, 0)};
    const std::uint32_t paint = scene_.add(body_material());
    add_tube(mesh_, rings, paint, 5, 36);
    for (std::size_t i = first; i < mesh_.vertices.size(); ++i) { // the bonnet falls towards the front
      Vec3& p = mesh_.vertices[i].position;
      const float forward = smooth_step(0.25f * half, half, p.z);
      if (p.y > middle) p.y -= d_.nose * forward * (p.y - middle) / (d_.belt - middle);
    }
    texture_by_place(first);
  }

  Material body_material() const {
    return {.colour = look_.paint,
            .pattern = Pattern::bodywork,
            .second = look_.second,
            .shift = look_.detail,
            .gloss = 0.55f,
            .seed = look_.plate,
            .body = {.axle = d_.wheelbase / d_.length,
                     .wheel = d_.wheel,
                     .belt = d_.belt,
                     .half_length = 0.5f * d_.length,
                     .has_stripe = look_.has_stripe,
                     .has_dark_bumpers = look_.has_dark_bumpers,
                     .has_two_tone = look_.has_two_tone,
                     .has_mark = look_.has_logo}};
  }

  void add_cabin() {
    const float low = d_.belt - 0.02f, high = d_.roof, side = look_.kind == VehicleKind::bus ? 0.97f : 0.78f;
    const std::size_t first = mesh_.vertices.size();
    const Ring windows[] = {slice(low, d_.rear_belt, d_.front_belt, d_.width * 0.95f),
                            slice(0.5f * (low + high), 0.5f * (d_.rear_belt + d_.rear_roof),
                                  0.5f * (d_.front_belt + d_.front_roof), d_.width * 0.5f * (0.97f + side)),
                            slice(high - 0.06f, d_.rear_roof, d_.front_roof, d_.width * side)};
    add_tube(mesh_, windows, scene_.add(glass_material()), 6, 36);
    const Ring roof[] = {
        slice(high - 0.07f, d_.rear_roof, d_.front_roof, d_.width * (side + 0.01f)),
        slice(high - 0.01f, d_.rear_roof + 0.08f, d_.front_roof - 0.1f, d_.width * (side - 0.06f)),
        slice(high + 0.01f, d_.rear_roof + 0.3f, d_.front_roof - 0.3f, d_.width * side * 0.5f),
        slice(high + 0.015f, 0.5f * (d_.rear_roof + d_.front_roof), 0.5f * (d_.rear_roof + d_.front_roof),
              0)};
    add_tube(mesh_, roof, plain(look_.paint, 0.55f), 6, 28);
    texture_by_place(first);
  }

  // Glass between pillars in the paint; what is not glass is closed bodywork.
  Material glass_material() const {
    const float half = 0.5f * d_.length;
    const bool is_panel_van = look_.kind == VehicleKind::van && look_.has_logo;
    const float pillars = look_.kind == VehicleKind::bus      ? 1.3f
                          : look_.kind == VehicleKind::pickup ? 0.6f
                                                              : 0.98f;
    return {.colour = look_.paint,
            .pattern = Pattern::glazing,
            .second = look_.has_dark_windows ? Vec3{0.008f, 0.008f, 0.01f} : Vec3{0.05f, 0.065f, 0.075f},
            .gloss = 0.7f,
            .glass = {.sill = d_.belt + 0.05f,
                      .top = d_.roof - 0.13f,
                      .rear = is_panel_van ? 0.35f : (d_.rear_roof + 0.12f) / half,
                      .front = d_.front_belt / half,
                      .pillars = pillars / half}};
  }

  void add_wheels() {
    const Material rubber{.colour = {0.02f, 0.02f, 0.022f},
                          .pattern = Pattern::wheel,
                          .second = {0.45f, 0.46f, 0.48f},
                          .scale = static_cast<float>(look_.spokes),
                          .gloss = 0.1f};
    const std::uint32_t material = scene_.add(rubber);
    for (const float side : {-1.0f, 1.0f})
      for (const float end : {-1.0f, 1.0f})
        add_blob(mesh_,
                 {.centre = {side * (0.5f * d_.width - 0.08f), d_.wheel, end * 0.5f * d_.wheelbase},
                  .radii = {0.13f, d_.wheel, d_.wheel},
                  .rows = 10,
                  .columns = 16},
                 material);
  }

  // The box of a truck, the bed of a pickup.
  void add_load() {
    const float rear = -0.5f * d_.length;
    if (look_.kind == VehicleKind::truck) {
      Material box{.colour = look_.has_two_tone ? look_.second : Vec3{0.75f, 0.75f, 0.73f},
                   .pattern = Pattern::sign,
                   .second = look_.paint,
                   .gloss = 0.2f};
      box.body.has_mark = look_.has_logo, box.shift = look_.detail;
      const float front = d_.rear_belt - 0.15f, height = 1.2f + 0.2f * look_.detail;
      add_blob(mesh_,
               {.centre = {0, d_.belt - 0.1f + height, 0.5f * (rear + front)},
                .radii = {0.52f * d_.width, height, 0.5f * (front - rear)},
                .roundness = 14,
                .rows = 12,
                .columns = 24},
               scene_.add(box));
    }
    if (look_.kind == VehicleKind::pickup)
      add_blob(mesh_,
               {.centre = {0, d_.belt + 0.02f, 0.5f * (rear + d_.rear_belt)},
                .radii = {0.4f * d_.width, 0.03f, 0.44f * (d_.rear_belt - rear)},
                .roundness = 8,
                .columns = 24},
               plain(look_.has_logo ? look_.second : Vec3{0.03f, 0.03f, 0.03f}, 0));
  }

  void add_extras() {
    const float middle = 0.5f * (d_.rear_roof + d_.front_roof),
                reach = 0.42f * (d_.front_roof - d_.rear_roof);
    if (look_.has_sunroof)
      add_blob(mesh_,
               {.centre = {0, d_.roof + 0.005f, middle + 0.3f * reach},
                .radii = {0.26f * d_.width, 0.02f, 0.45f * reach},
                .roundness = 8,
                .columns = 24},
               plain({0.01f, 0.01f, 0.012f}, 0.6f));
    if (look_.has_roof_rack)
      for (const float side : {-1.0f, 1.0f})
        add_limb(mesh_,
                 {{side * 0.36f * d_.width, d_.roof + 0.06f, middle - reach},
                  {side * 0.36f * d_.width, d_.roof + 0.06f, middle + reach},
                  {1, 0, 0},
                  0.03f,
                  0.03f},
                 plain({0.3f, 0.3f, 0.31f}, 0.4f));
    if (look_.has_spoiler) {
      const bool is_on_roof = look_.kind != VehicleKind::sedan;
      const Vec3 place{0, is_on_roof ? d_.roof + 0.01f : d_.belt + 0.13f,
                       is_on_roof ? d_.rear_roof - 0.1f : -0.47f * d_.length};
      add_blob(mesh_,
               {.centre = place, .radii = {0.36f * d_.width, 0.03f, 0.14f}, .roundness = 5, .columns = 20},
               plain(look_.paint * 0.8f, 0.4f));
    }
    for (const float side : {-1.0f, 1.0f})
      add_blob(mesh_,
               {.centre = {side * (0.5f * d_.width + 0.06f), d_.belt + 0.06f, d_.front_belt - 0.45f},
                .radii = {0.1f, 0.07f, 0.06f},
                .rows = 6,
                .columns = 8},
               plain(look_.has_dark_bumpers ? Vec3{0.02f, 0.02f, 0.02f} : look_.paint, 0.4f));
  }

  Scene& scene_;
  Mesh& mesh_;
  const VehicleLook& look_;
  Dimensions d_;
};

} // namespace

void add_vehicle(Scene& scene, const VehicleLook& look, const Placement& placement) {
  const std::size_t first = scene.mesh.vertices.size();
  VehicleBuilder(scene, look).build();
  const auto turn = [&](Vec3 p) { return turn_y(p, placement.yaw); };
  transform(scene.mesh, first, [&](Vec3 p) { return turn(p) + placement.position; }, turn);
}

std::array<Vec3, kVehicleKeypoints> vehicle_keypoints(const VehicleLook& look, const Placement& placement) {
  const Dimensions d = dimensions_of(look);
  const float x = 0.5f * d.width, z = 0.5f * d.length, axle = 0.5f * d.wheelbase, top = 0.39f * d.width;
  const float lamp = kLampHeight * d.belt, fog = 0.42f * d.belt, plate = kPlateHeight * d.belt;
  std::array<Vec3, kVehicleKeypoints> points{{{x, d.wheel, axle},
                                              {x, d.wheel, -axle},
                                              {-x, d.wheel, axle},
                                              {-x, d.wheel, -axle},
                                              {-0.75f * x, fog, z},
                                              {0.75f * x, fog, z},
                                              {-0.75f * x, lamp, z},
                                              {0.75f * x, lamp, z},
                                              {0, lamp, z},
                                              {0, plate, z},
                                              {x + 0.1f, d.belt + 0.06f, d.front_belt - 0.45f},
                                              {-x - 0.1f, d.belt + 0.06f, d.front_belt - 0.45f},
                                              {-top, d.roof, d.front_roof},
                                              {top, d.roof, d.front_roof},
                                              {top, d.roof, d.rear_roof},
                                              {-top, d.roof, d.rear_roof},
                                              {0.78f * x, lamp, -z},
                                              {-0.78f * x, lamp, -z},
                                              {0, lamp, -z},
                                              {0, plate, -z}}};
  for (Vec3& point : points)
    point = turn_y(point, placement.yaw) + placement.position;
  return points;
}

} // namespace vlreid
