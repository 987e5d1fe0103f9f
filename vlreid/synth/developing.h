// A scene -> a crop: background, shadow, subject, then the camera's optics and electronics, at the size asked
// for.
#pragma once

#include "vlreid/synth/camera.h"
#include "vlreid/synth/render.h"

namespace vlreid {

struct Shot {
  View view;
  Frame frame;
  int height, width;
  float along = 0; // where along the wall of the scene the subject stands, metres
};

// `depths`, when given, receives the z-buffer, in kSupersampling times the sensor's resolution.
inline constexpr int kSupersampling = 2;
Image expose(const Scene& scene, const Shot& shot, const CameraLook& camera, Random& random,
             DepthBuffer* depths = nullptr);

} // namespace vlreid
