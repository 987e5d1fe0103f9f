#include "vlreid/synth/vehicle_picture.h"

#include "vlreid/synth/developing.h"
#include "vlreid/synth/framing.h"

namespace vlreid {
namespace {

// Vehicle cameras stand further off and higher than those that see pedestrians.
CameraLook mounted_high(CameraLook camera) {
  camera.distance = 10 + 1.5f * camera.distance;
  camera.pitch = 0.12f + camera.pitch;
  camera.floor = Floor::asphalt;
  camera.wall_distance += 9;
  return camera;
}

class Photographer {
public:
  Photographer(const VehiclePicture& picture, const CameraLook& camera, Random& random)
      : picture_(picture), camera_(mounted_high(camera)), random_(random),
        view_(camera_.pitch, camera_.distance, {0, 0.8f, 0}) {}

  VehicleShot take() {
    const Placement placement{{}, picture_.yaw};
    add_vehicle(scene_, *picture_.subject, placement);
    frame_ = bounding_frame(scene_.mesh, view_, 0.03f);
    const auto off = [&] {
      return std::clamp(static_cast<float>(random_.normal()), -2.0f, 2.0f) * camera_.box_jitter;
    };
    frame_ = moved(frame_, off(), off(), std::exp(0.02f + off()));
    add_company();
    VehicleShot shot;
    const Shot plan = plan_shot();
    DepthBuffer depths(1, 1);
    shot.image = expose(scene_, plan, camera_, random_, &depths);
    find_keypoints(vehicle_keypoints(*picture_.subject, placement), plan, depths, shot);
    return shot;
  }

private:
  float real(double low, double high) { return static_cast<float>(random_.uniform(low, high)); }
  float sign() { return random_.chance(0.5) ? 1.0f : -1.0f; }

  Shot plan_shot() {
    const float area = static_cast<float>(picture_.height) * static_cast<float>(picture_.width);
    const float shape = std::clamp((frame_.right - frame_.left) / (frame_.bottom - frame_.top), 0.5f, 2.2f);
    const float height = std::sqrt(area / shape);
    return {.view = view_,
            .frame = frame_,
            .height = std::max(16, static_cast<int>(height)),
            .width = std::max(16, static_cast<int>(height * shape)),
            .along = real(-40, 40)};
  }

  void add_company() {
    const auto& other = picture_.bystanders[random_.below(picture_.bystanders.size())];
    if (random_.chance(0.3))
      add_vehicle(scene_, other,
                  {{sign() * real(1, 4), 0, real(-8, -6)}, picture_.yaw + (random_.chance(0.5) ? kPi : 0)});
    if (random_.chance(0.12)) {
      const float x = real(-1.5, 1.5), z = 3.5f, radius = real(0.06, 0.12);
      add_limb(scene_.mesh, {{x, 0, z}, {x, 7, z}, {0, 0, 1}, radius, radius, 0, 12},
               scene_.add({.colour = {0.2f, 0.2f, 0.2f}}));
    } else if (random_.chance(0.08)) {
      const PersonLook walker = make_people(random_.bits(), SynthDomain::a, 0, 1).front();
      add_person(scene_, walker, make_pose(random_), {{real(-1.5, 1.5), 0, 3.2f}, real(0, 2 * kPi)});
    }
  }

  // A keypoint is seen when nothing lies clearly nearer to the camera at its place.
  void find_keypoints(const std::array<Vec3, kVehicleKeypoints>& points, const Shot& plan,
                      const DepthBuffer& depths, VehicleShot& shot) const {
    constexpr float kSlack = 0.3f; // metres: points lie near the surface, not on it
    for (std::size_t i = 0; i < points.size(); ++i) {
      const PlanePoint p = view_.project(points[i]);
      const float x = (p.x - frame_.left) / (frame_.right - frame_.left),
                  y = (p.y - frame_.top) / (frame_.bottom - frame_.top);
      if (x < 0 || x >= 1 || y < 0 || y >= 1) continue;
      const int row = static_cast<int>(y * static_cast<float>(depths.height())),
                column = static_cast<int>(x * static_cast<float>(depths.width()));
      if (depths.depth_at(row, column) < p.depth - kSlack) continue;
      shot.keypoints[i] = {static_cast<int>(x * static_cast<float>(plan.width)),
                           static_cast<int>(y * static_cast<float>(plan.height))};
    }
  }

  const VehiclePicture& picture_;
  CameraLook camera_;
  Random& random_;
  View view_;
  Scene scene_;
  Frame frame_{};
};

} // namespace

VehicleShot take_picture(const VehiclePicture& picture, const CameraLook& camera, Random& random) {
  return Photographer(picture, camera, random).take();
}

} // namespace vlreid
