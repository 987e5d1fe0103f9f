#include "vlreid/synth/render.h"

#include <limits>

namespace vlreid {
namespace {

constexpr float kNearest = 0.3f; // metres in front of the camera; nearer triangles are left out

// Creases of cloth: bends the normal by the slope of noise over the texture.
Vec3 fold(const Material& material, Vec3 normal, Vec3 t) {
  const float x = t.x * 5, y = t.y * 4 + 2 * t.x;
  const float here = smooth_noise(x, y, material.seed);
  const float dx = smooth_noise(x + 0.35f, y, material.seed) - here,
              dy = smooth_noise(x, y + 0.35f, material.seed) - here;
  return normalised(normal + Vec3{dx, dy, 0.3f * dx} * material.folds);
}

struct Surface {
  Vec3 position, normal, texture;
};

Surface interpolate(const Mesh& mesh, const Triangle& triangle, float a, float b, float c) {
  const Vertex& p = mesh.vertices[triangle.corners[0]];
  const Vertex& q = mesh.vertices[triangle.corners[1]];
  const Vertex& r = mesh.vertices[triangle.corners[2]];
  return {p.position * a + q.position * b + r.position * c, p.normal * a + q.normal * b + r.normal * c,
          p.texture * a + q.texture * b + r.texture * c};
}

Vec3 light_up(const Surface& surface, const Material& material, const Light& light, Vec3 to_eye) {
  Vec3 normal = normalised(surface.normal);
  if (dot(normal, to_eye) < 0) normal = normal * -1.0f;
  if (material.folds > 0) normal = fold(material, normal, surface.texture);
  const float facing = dot(normal, light.direction);
  const float direct = std::max(0.0f, 0.85f * facing + 0.15f); // light wraps a little around soft things
  const Vec3 diffuse = light.ambient * (0.75f + 0.25f * normal.y) + light.colour * direct;
  Vec3 colour = colour_at(material, surface.texture) * diffuse;
  if (material.gloss > 0) {
    const Vec3 half = normalised(light.direction + to_eye);
    const float mirror = std::pow(std::max(0.0f, dot(normal, half)), 24.0f);
    const float rim = std::pow(1 - std::clamp(dot(normal, to_eye), 0.0f, 1.0f), 3.0f);
    colour = colour + (light.colour * mirror + light.ambient * (0.5f * rim)) * material.gloss;
  }
  return colour;
}

} // namespace

View::View(float pitch, float distance, Vec3 target)
    : cos_(std::cos(pitch)), sin_(std::sin(pitch)), eye_(target + Vec3{0, sin_, cos_} * distance) {}

PlanePoint View::project(Vec3 world) const {
  const Vec3 p = world - eye_;
  const float depth = -(cos_ * p.z + sin_ * p.y), up = cos_ * p.y - sin_ * p.z;
  const float inverse = 1 / std::max(depth, kNearest);
  return {p.x * inverse, -up * inverse, depth};
}

Vec3 View::ray(float x, float y) const {
  return normalised(Vec3{x, -y * cos_ - sin_, y * sin_ - cos_});
}

DepthBuffer::DepthBuffer(int height, int width)
    : height_(height), width_(width),
      depths_(static_cast<std::size_t>(height) * width, std::numeric_limits<float>::infinity()),
      triangles_(depths_.size(), -1) {}

void DepthBuffer::draw(const Mesh& mesh, const View& view, const Frame& frame) {
  const float across = static_cast<float>(width_) / (frame.right - frame.left);
  const float down = static_cast<float>(height_) / (frame.bottom - frame.top);
  corners_.clear();
  corners_.reserve(mesh.vertices.size());
  for (const Vertex& vertex : mesh.vertices) {
    const PlanePoint point = view.project(vertex.position);
    corners_.push_back({(point.x - frame.left) * across, (point.y - frame.top) * down, point.depth});
  }
  for (std::size_t i = 0; i < mesh.triangles.size(); ++i) {
    const auto& corners = mesh.triangles[i].corners;
    draw_triangle(static_cast<int>(i), corners_[corners[0]], corners_[corners[1]], corners_[corners[2]]);
  }
}

// Fills the pixels whose centres lie inside.
void DepthBuffer::draw_triangle(int triangle, const Corner& a, const Corner& b, const Corner& c) {
  if (std::min({a.depth, b.depth, c.depth}) < kNearest) return;
  const float area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  if (std::abs(area) < 1e-6f) return;
  const auto first = [](float value) {
    return std::max(0, static_cast<int>(std::ceil(std::max(value, -1.0f) - 0.5f)));
  };
  const auto last = [](float value, int count) {
    return static_cast<int>(std::floor(std::clamp(value, -1.0f, static_cast<float>(count)) - 0.5f));
  };
  const int top = first(std::min({a.y, b.y, c.y})),
            bottom = std::min(last(std::max({a.y, b.y, c.y}), height_), height_ - 1);
  const int left = first(std::min({a.x, b.x, c.x})),
            right = std::min(last(std::max({a.x, b.x, c.x}), width_), width_ - 1);
  const float inverse = 1 / area;
  for (int y = top; y <= bottom; ++y)
    for (int x = left; x <= right; ++x) {
      const float px = static_cast<float>(x) + 0.5f, py = static_cast<float>(y) + 0.5f;
      const float wb = ((px - a.x) * (c.y - a.y) - (py - a.y) * (c.x - a.x)) * inverse;
      const float wc = ((b.x - a.x) * (py - a.y) - (b.y - a.y) * (px - a.x)) * inverse;
      const float wa = 1 - wb - wc;
      if (wa < -1e-5f || wb < -1e-5f || wc < -1e-5f) continue;
      const float depth = wa * a.depth + wb * b.depth + wc * c.depth;
      if (depth >= depths_[index(y, x)]) continue;
      depths_[index(y, x)] = depth;
      triangles_[index(y, x)] = triangle;
    }
}

// Darkness of a place that lies behind its surroundings (the inside of an arm, the further leg): 1 where
// nothing is in front.
float DepthBuffer::crease_at(int y, int x) const {
  const int reach = std::max(2, height_ / 40);
  const float depth = depths_[index(y, x)];
  float covered = 0;
  for (const auto& [dy, dx] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
    const int row = std::clamp(y + dy * reach, 0, height_ - 1),
              column = std::clamp(x + dx * reach, 0, width_ - 1);
    const float in_front = depth - depths_[index(row, column)];
    covered += smooth_step(0.02f, 0.12f, in_front) * (1 - smooth_step(0.5f, 0.9f, in_front));
  }
  return 1 - 0.16f * covered;
}

void DepthBuffer::shade(const Scene& scene, const View& view, const Light& light, Canvas& canvas) const {
  for (int y = 0; y < height_; ++y)
    for (int x = 0; x < width_; ++x) {
      const int found = triangle_at(y, x);
      if (found < 0) continue;
      const Triangle& triangle = scene.mesh.triangles[static_cast<std::size_t>(found)];
      const Corner &a = corners_[triangle.corners[0]], &b = corners_[triangle.corners[1]],
                   &c = corners_[triangle.corners[2]];
      const float inverse = 1 / ((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x));
      const float px = static_cast<float>(x) + 0.5f, py = static_cast<float>(y) + 0.5f;
      const float wb = ((px - a.x) * (c.y - a.y) - (py - a.y) * (c.x - a.x)) * inverse;
      const float wc = ((b.x - a.x) * (py - a.y) - (b.y - a.y) * (px - a.x)) * inverse;
      const Surface surface = interpolate(scene.mesh, triangle, 1 - wb - wc, wb, wc);
      const Vec3 to_eye = normalised(view.eye() - surface.position);
      canvas.at(y, x) =
          light_up(surface, scene.materials[triangle.material], light, to_eye) * crease_at(y, x);
    }
}

std::vector<float> ground_shadow(const Mesh& mesh, const View& view, const Frame& frame, Vec3 light_direction,
                                 int height, int width) {
  Mesh flat;
  flat.triangles = mesh.triangles;
  flat.vertices.reserve(mesh.vertices.size());
  const float slope_x = light_direction.x / light_direction.y,
              slope_z = light_direction.z / light_direction.y;
  for (const Vertex& vertex : mesh.vertices) {
    const Vec3 p = vertex.position;
    flat.vertices.push_back({{p.x - slope_x * p.y, 0, p.z - slope_z * p.y}, {}, {}});
  }
  DepthBuffer buffer(height, width);
  buffer.draw(flat, view, frame);
  std::vector<float> shadow(static_cast<std::size_t>(height) * width);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      shadow[static_cast<std::size_t>(y) * width + x] = buffer.triangle_at(y, x) >= 0 ? 1.0f : 0.0f;
  return shadow;
}

} // namespace vlreid
