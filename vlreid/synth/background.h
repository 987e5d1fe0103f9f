// What stands behind the people: a floor and a wall, painted by intersecting the ray of every pixel with two
// planes, so that tiles and bricks have the perspective of the camera.
#pragma once

#include "vlreid/synth/camera.h"
#include "vlreid/synth/render.h"

#include <span>

namespace vlreid {

struct Backdrop {
  float along = 0; // metres that the subject stands along the wall: other places of the same scene
};

// Paints every pixel. `shadow` is the share of shadow on the ground per pixel, in the size of the canvas.
void paint_background(Canvas& canvas, const View& view, const Frame& frame, const CameraLook& camera,
                      const Backdrop& backdrop, std::span<const float> shadow);

} // namespace vlreid
