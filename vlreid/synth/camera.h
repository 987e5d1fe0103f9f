// A made camera: where it stands, what light falls on its scene, and what its optics and electronics do to
// the picture. One look a camera, the same for every image that it takes. The looks of one dataset differ
// strongly on purpose: that is the difficulty of re-identification.
#pragma once

#include "vlreid/base/random.h"
#include "vlreid/image/image.h"
#include "vlreid/synth/canvas.h"
#include "vlreid/synth/geometry.h"
#include "vlreid/synth/options.h"

#include <cstdint>

namespace vlreid {

enum class Floor { paving, asphalt, grass, tiles, parquet };
enum class Wall { plaster, brick, glass, hedge, panels, street };

struct CameraLook {
  // Geometry: looking down by `pitch` (radians) from `distance` metres.
  float pitch = 0.1f, distance = 8;
  // Light: towards the sun or the lamp, its colour, the colour of the shade; strength of the shadow on the
  // ground.
  Vec3 light_direction, light, ambient;
  float shadow = 0.5f;
  // Scene behind the people.
  Floor floor = Floor::paving;
  Wall wall = Wall::plaster;
  Vec3 floor_colour, wall_colour;
  float wall_distance = 6; // metres behind the subject
  std::uint64_t scene = 0; // tells the scenes of two cameras apart
  // Electronics.
  Vec3 gain{1, 1, 1};
  float exposure = 1, gamma = 1, saturation = 1, contrast = 1;
  float sharpness = 1; // share of the output resolution that is really there
  float blur = 0;      // standard deviation in output pixels
  float noise = 0.01f; // of full scale
  int jpeg_quality = 80;
  // The detector: how far the box may be off, as a share of its size.
  float box_jitter = 0.06f;
  // Which side people mostly show (they walk along paths), radians, and by how much that varies.
  float yaw = 0, yaw_spread = 1;
};

CameraLook make_camera(std::uint64_t seed, SynthDomain domain, int camera);

// What the sensor makes of a finished linear picture: exposure, colours, sharpness, noise. `random` belongs
// to the image.
Image develop(const Canvas& canvas, const CameraLook& camera, Random& random);

} // namespace vlreid
