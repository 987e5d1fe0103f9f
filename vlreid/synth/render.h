// Triangles -> pixels: a z-buffer that remembers the nearest triangle of every pixel, shaded once at the end
// (deferred), so the cost of a pattern does not depend on how many surfaces lie behind. Drawn larger than
// needed and shrunk, which smooths edges.
#pragma once

#include "vlreid/synth/canvas.h"
#include "vlreid/synth/material.h"
#include "vlreid/synth/mesh.h"

#include <cstdint>
#include <vector>

namespace vlreid {

struct Scene {
  Mesh mesh;
  std::vector<Material> materials;

  std::uint32_t add(const Material& material) {
    materials.push_back(material);
    return static_cast<std::uint32_t>(materials.size() - 1);
  }
};

// A point on the image plane of a pinhole camera: x to the right and y down, in units of distance (tangents);
// depth in metres.
struct PlanePoint {
  float x, y, depth;
};

// A pinhole that looks at `target` from `distance` metres on the +z side, tilted down by `pitch`.
class View {
public:
  View(float pitch, float distance, Vec3 target);

  PlanePoint project(Vec3 world) const;
  Vec3 eye() const { return eye_; }
  // The direction in the world of a point on the plane.
  Vec3 ray(float x, float y) const;

private:
  float cos_, sin_;
  Vec3 eye_;
};

// The part of the image plane that a crop shows.
struct Frame {
  float left, top, right, bottom;
};

struct Light {
  Vec3 direction, colour, ambient;
};

// The nearest triangle of every pixel, or none.
class DepthBuffer {
public:
  DepthBuffer(int height, int width);

  // Draws every triangle of `mesh`, seen by `view` through `frame`.
  void draw(const Mesh& mesh, const View& view, const Frame& frame);

  int height() const { return height_; }
  int width() const { return width_; }
  // Index of the triangle, or -1.
  int triangle_at(int y, int x) const { return triangles_[index(y, x)]; }
  float depth_at(int y, int x) const { return depths_[index(y, x)]; }
  // Replaces what is visible by its shaded colour.
  void shade(const Scene& scene, const View& view, const Light& light, Canvas& canvas) const;

private:
  struct Corner {
    float x, y, depth;
  };
  std::size_t index(int y, int x) const { return static_cast<std::size_t>(y) * width_ + x; }
  void draw_triangle(int triangle, const Corner& a, const Corner& b, const Corner& c);
  float crease_at(int y, int x) const;

  int height_, width_;
  std::vector<float> depths_;
  std::vector<int> triangles_;
  std::vector<Corner> corners_; // of the vertices, in pixels
};

// 0..1 per pixel of a height x width grid: how much of the ground there lies in the shadow of `mesh`.
std::vector<float> ground_shadow(const Mesh& mesh, const View& view, const Frame& frame, Vec3 light_direction,
                                 int height, int width);

} // namespace vlreid
