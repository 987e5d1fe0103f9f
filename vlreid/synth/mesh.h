// The shapes that made people and vehicles consist of: curved surfaces, cut into small triangles. Every
// surface comes from a grid of points with texture coordinates; its normals follow from the grid.
#pragma once

#include "vlreid/synth/geometry.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace vlreid {

struct SurfacePoint {
  Vec3 position;
  Vec3 texture; // what the material understands: (angle, height, 0) on tubes, a place on the unit sphere on
                // ellipsoids
};

struct Vertex {
  Vec3 position, normal, texture;
};

struct Triangle {
  std::uint32_t corners[3];
  std::uint32_t material;
};

struct Mesh {
  std::vector<Vertex> vertices;
  std::vector<Triangle> triangles;
};

// A cross-section of a tube: an ellipse about `centre`; `forward` is where the texture's angle is 0, `side`
// where it is +0.5.
struct Ring {
  Vec3 centre, side, forward;
  float radius_side, radius_forward;
};

// rows x columns points; `is_closed` joins the last column to the first.
void add_grid(Mesh& mesh, std::span<const SurfacePoint> points, int rows, int columns, bool is_closed,
              std::uint32_t material);

// Through the rings; texture (angle / pi in [-1, 1], share of the length in [0, 1], 0). `roundness` 2 gives
// ellipses, more gives rounded boxes.
void add_tube(Mesh& mesh, std::span<const Ring> rings, std::uint32_t material, float roundness = 2,
              int columns = 14);

// A round limb from `start` to `end`; `front` tells where its front is.
struct Limb {
  Vec3 start, end, front;
  float start_radius, end_radius;
  float bulge = 0; // additional radius halfway
  int rows = 4;
};
void add_limb(Mesh& mesh, const Limb& limb, std::uint32_t material);

// An ellipsoid, or with `roundness` above 2 a box with round edges, with its own axes.
struct Blob {
  Vec3 centre;
  Vec3 radii;
  Vec3 right{1, 0, 0}, up{0, 1, 0}, forward{0, 0, 1};
  float roundness = 2;
  float lowest = -1; // cut off below this height of the unit sphere: a cap
  int rows = 8, columns = 12;
};
void add_blob(Mesh& mesh, const Blob& blob, std::uint32_t material);

// Applies `move` to every vertex from `first` on, and `turn` to their normals.
void transform(Mesh& mesh, std::size_t first, const std::function<Vec3(Vec3)>& move,
               const std::function<Vec3(Vec3)>& turn);

} // namespace vlreid
