// One made crop of a vehicle, in the shape that its box has, with VeRi's keypoints; the counterpart of
// picture.h.
#pragma once

#include "vlreid/synth/camera.h"
#include "vlreid/synth/vehicle.h"
#include "vlreid/synth/vehicle_body.h"

#include <array>
#include <span>

namespace vlreid {

struct VehiclePicture {
  const VehicleLook* subject = nullptr;    // REQUIRES: not null
  std::span<const VehicleLook> bystanders; // REQUIRES: not empty
  float yaw = 0;                           // 0 front, pi/2 its right side, pi rear
  int height = 128, width = 128;           // the crop has about height x width pixels in the shape of its box
};

struct Keypoint {
  int x = -1, y = -1; // pixels of the crop; -1 -1: not seen
};

struct VehicleShot {
  Image image;
  std::array<Keypoint, kVehicleKeypoints> keypoints;
};

VehicleShot take_picture(const VehiclePicture& picture, const CameraLook& camera, Random& random);

} // namespace vlreid
