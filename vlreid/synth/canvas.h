// A picture in linear light, before the camera makes bytes of it: [height, width] of RGB, 1 is the white of
// the scene.
#pragma once

#include "vlreid/synth/geometry.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vlreid {

struct Canvas {
  Canvas() = default;
  Canvas(int rows, int columns)
      : height(rows), width(columns), pixels(static_cast<std::size_t>(rows) * columns) {}

  Vec3& at(int y, int x) { return pixels[static_cast<std::size_t>(y) * width + x]; }
  const Vec3& at(int y, int x) const { return pixels[static_cast<std::size_t>(y) * width + x]; }

  int height = 0, width = 0;
  std::vector<Vec3> pixels;
};

// The mean of every factor x factor block. REQUIRES: both sides are multiples of `factor`.
Canvas shrink(const Canvas& canvas, int factor);

// Gaussian blur, edges repeated; nothing happens below 0.1 pixels.
void blur(Canvas& canvas, float standard_deviation);

// Smooth noise in [0, 1) over the plane with one bump a unit, and its sum over octaves that halve in size and
// strength. They depend on the place and the seed alone.
float smooth_noise(float x, float y, std::uint64_t seed);
float fractal_noise(float x, float y, int octaves, std::uint64_t seed);
// A value in [0, 1) for a cell of a grid.
float cell_value(int x, int y, std::uint64_t seed);

} // namespace vlreid
