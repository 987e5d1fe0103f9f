#include "vlreid/synth/mesh.h"

namespace vlreid {
namespace {

// cos and sin with the exponent of a superellipse: 2 is a circle, 8 nearly a square.
float power_of(float value, float roundness) {
  if (roundness == 2) return value;
  return std::copysign(std::pow(std::abs(value), 2 / roundness), value);
}

Vec3 grid_normal(std::span<const SurfacePoint> points, int rows, int columns, bool is_closed, int row,
                 int column) {
  const auto place = [&](int r, int c) { return points[static_cast<std::size_t>(r) * columns + c].position; };
  int before = column - 1, after = column + 1;
  if (is_closed) { // the last column repeats the first
    if (before < 0) before = columns - 2;
    if (after >= columns) after = 1;
  }
  before = std::max(before, 0), after = std::min(after, columns - 1);
  // At a pole the row is one point: the next row tells the direction.
  const int inner = rows > 2 ? std::clamp(row, 1, rows - 2) : row;
  const Vec3 across = place(inner, after) - place(inner, before);
  const Vec3 along = place(std::min(row + 1, rows - 1), column) - place(std::max(row - 1, 0), column);
  return normalised(cross(across, along));
}

} // namespace

void add_grid(Mesh& mesh, std::span<const SurfacePoint> points, int rows, int columns, bool is_closed,
              std::uint32_t material) {
  const auto first = static_cast<std::uint32_t>(mesh.vertices.size());
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      const SurfacePoint& point = points[static_cast<std::size_t>(row) * columns + column];
      mesh.vertices.push_back(
          {point.position, grid_normal(points, rows, columns, is_closed, row, column), point.texture});
    }
  for (int row = 0; row + 1 < rows; ++row)
    for (int column = 0; column + 1 < columns; ++column) {
      const std::uint32_t corner = first + static_cast<std::uint32_t>(row * columns + column);
      const auto below = corner + static_cast<std::uint32_t>(columns);
      mesh.triangles.push_back({{corner, corner + 1, below}, material});
      mesh.triangles.push_back({{corner + 1, below + 1, below}, material});
    }
}

void add_tube(Mesh& mesh, std::span<const Ring> rings, std::uint32_t material, float roundness, int columns) {
  std::vector<SurfacePoint> points;
  points.reserve(rings.size() * static_cast<std::size_t>(columns + 1));
  std::vector<float> heights(1, 0.0f);
  for (std::size_t row = 1; row < rings.size(); ++row)
    heights.push_back(heights.back() + length(rings[row].centre - rings[row - 1].centre));
  for (std::size_t row = 0; row < rings.size(); ++row) {
    const Ring& ring = rings[row];
    const float height = heights[row] / std::max(heights.back(), 1e-6f);
    for (int column = 0; column <= columns; ++column) {
      const float turn =
          2 * static_cast<float>(column) / static_cast<float>(columns) - 1; // -1 and 1 are the back
      const float s = power_of(std::sin(kPi * turn), roundness),
                  c = power_of(std::cos(kPi * turn), roundness);
      points.push_back(
          {ring.centre + ring.side * (s * ring.radius_side) + ring.forward * (c * ring.radius_forward),
           {turn, height, 0}});
    }
  }
  add_grid(mesh, points, static_cast<int>(rings.size()), columns + 1, true, material);
}

void add_limb(Mesh& mesh, const Limb& limb, std::uint32_t material) {
  const Vec3 axis = normalised(limb.end - limb.start);
  const Vec3 side = normalised(cross(axis, limb.front));
  const Vec3 forward = cross(side, axis);
  std::vector<Ring> rings;
  for (int row = 0; row < limb.rows; ++row) {
    const float t = static_cast<float>(row) / static_cast<float>(limb.rows - 1);
    const float radius = mix(limb.start_radius, limb.end_radius, t) + limb.bulge * std::sin(kPi * t);
    rings.push_back({mix(limb.start, limb.end, t), side, forward, radius, radius});
  }
  add_tube(mesh, rings, material, 2, 10);
}

void add_blob(Mesh& mesh, const Blob& blob, std::uint32_t material) {
  std::vector<SurfacePoint> points;
  const float start = std::asin(std::clamp(blob.lowest, -1.0f, 1.0f)), end = 0.5f * kPi;
  for (int row = 0; row < blob.rows; ++row) {
    const float latitude = mix(start, end, static_cast<float>(row) / static_cast<float>(blob.rows - 1));
    const float ring = power_of(std::cos(latitude), blob.roundness),
                height = power_of(std::sin(latitude), blob.roundness);
    for (int column = 0; column <= blob.columns; ++column) {
      const float angle = kPi * (2 * static_cast<float>(column) / static_cast<float>(blob.columns) - 1);
      const Vec3 unit{ring * power_of(std::sin(angle), blob.roundness), height,
                      ring * power_of(std::cos(angle), blob.roundness)};
      const Vec3 local = unit * blob.radii;
      points.push_back(
          {blob.centre + blob.right * local.x + blob.up * local.y + blob.forward * local.z, unit});
    }
  }
  add_grid(mesh, points, blob.rows, blob.columns + 1, true, material);
}

void transform(Mesh& mesh, std::size_t first, const std::function<Vec3(Vec3)>& move,
               const std::function<Vec3(Vec3)>& turn) {
  for (std::size_t i = first; i < mesh.vertices.size(); ++i) {
    mesh.vertices[i].position = move(mesh.vertices[i].position);
    mesh.vertices[i].normal = turn(mesh.vertices[i].normal);
  }
}

} // namespace vlreid
