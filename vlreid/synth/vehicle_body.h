// VehicleLook -> triangles on the ground at the origin, facing +z; and where VeRi's twenty keypoints are on
// it.
#pragma once

#include "vlreid/synth/body.h"
#include "vlreid/synth/render.h"
#include "vlreid/synth/vehicle.h"

#include <array>

namespace vlreid {

void add_vehicle(Scene& scene, const VehicleLook& look, const Placement& placement);

// In the world: left-front, left-back, right-front, right-back wheel; right, left fog lamp; right, left
// headlight; front logo, front plate; left, right mirror; right-front, left-front, left-back, right-back
// corner of the roof; left, right rear lamp; rear logo, rear plate.
inline constexpr int kVehicleKeypoints = 20;
std::array<Vec3, kVehicleKeypoints> vehicle_keypoints(const VehicleLook& look, const Placement& placement);

} // namespace vlreid
