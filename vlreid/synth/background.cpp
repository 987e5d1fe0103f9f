#include "vlreid/synth/background.h"

#include "vlreid/synth/palette.h"

#include <array>

namespace vlreid {
namespace {

// 1 on the joints of a grid with the given pitch, `width` metres wide.
float joint(float place, float pitch, float width) {
  const float offset = std::abs(place / pitch - std::round(place / pitch)) * pitch;
  return 1 - smooth_step(0.5f * width, 0.5f * width + 0.02f, offset);
}

int cell(float place, float pitch) {
  return static_cast<int>(std::floor(place / pitch));
}

Vec3 slabs_at(float x, float z, float pitch, float tint, Vec3 colour, std::uint64_t scene) {
  const float shade =
      1 + tint * (cell_value(cell(x + 0.5f * pitch, pitch), cell(z + 0.5f * pitch, pitch), scene) - 0.5f);
  return colour * (shade * (1 - 0.4f * std::max(joint(x, pitch, 0.02f), joint(z, pitch, 0.02f))));
}

Vec3 floor_at(const CameraLook& camera, float x, float z) {
  const Vec3 colour = camera.floor_colour;
  const auto noise = [&](float scale, int octaves) {
    return fractal_noise(x * scale, z * scale, octaves, camera.scene);
  };
  switch (camera.floor) {
  case Floor::paving:
    return slabs_at(x, z, 0.6f, 0.35f, colour, camera.scene) * (0.8f + 0.4f * noise(2, 2));
  case Floor::asphalt: {
    const float line = joint(x + 0.3f * z, 3.2f, 0.14f);
    return mix(colour * (0.7f + 0.6f * noise(6, 2)), from_srgb(0xd8d8d0), 0.8f * line);
  }
  case Floor::grass:
    return colour * Vec3{0.7f + 0.5f * noise(1, 1), 0.6f + 0.8f * noise(7, 2), 0.8f};
  case Floor::tiles:
    return slabs_at(x, z, 0.45f, 0.12f, colour, camera.scene) * (0.9f + 0.25f * noise(0.8f, 1));
  case Floor::parquet: {
    const int plank = cell(x, 0.14f);
    const float shade =
        0.75f + 0.5f * cell_value(plank, cell(z + 0.7f * static_cast<float>(plank % 3), 2), camera.scene);
    return colour * (shade * (1 - 0.3f * joint(x, 0.14f, 0.008f)));
  }
  }
  return colour;
}

// A door, a poster or a window of the wall's own, in cells of 2.2 m; nothing in half of them.
Vec3 with_fixture(const CameraLook& camera, Vec3 colour, float x, float y) {
  constexpr float kPitch = 2.2f;
  const int place = cell(x, kPitch);
  const float kind = cell_value(place, 1, camera.scene),
              across = std::abs(x / kPitch - static_cast<float>(place) - 0.5f) * kPitch;
  const auto paint = [&](std::uint64_t salt) {
    const auto value = [&](int i) {
      return 0.03f + 0.6f * std::pow(cell_value(place, i, camera.scene + salt), 1.6f);
    };
    return Vec3{value(2), value(3), value(4)};
  };
  if (kind < 0.18f && across < 0.5f && y < 2.1f) return across > 0.46f ? colour * 0.4f : paint(0) * 0.7f;
  if (kind > 0.55f && kind < 0.75f && across < 0.45f && y > 0.7f && y < 1.9f)
    return across > 0.42f ? Vec3{0.6f, 0.6f, 0.6f} : mix(paint(0), paint(9), y > 1.3f ? 1.0f : 0.0f);
  if (kind > 0.85f && across < 0.7f && y > 0.9f && y < 2.2f) {
    const float pane = joint(across, 0.7f, 0.06f);
    return mix(Vec3{0.10f, 0.14f, 0.18f} * (0.6f + 0.5f * y), Vec3{0.7f, 0.7f, 0.7f}, pane);
  }
  return colour;
}

Vec3 street_at(const CameraLook& camera, float x, float y) {
  constexpr float kHouse = 7;
  const int house = cell(x, kHouse);
  const auto value = [&](int i) { return cell_value(house, i, camera.scene); };
  const Vec3 front =
      camera.wall_colour * Vec3{0.5f + value(1), 0.5f + 0.9f * value(1) + 0.2f * value(2), 0.4f + value(3)};
  if (y > 5 + 6 * value(4)) return {0.62f, 0.74f, 0.9f}; // sky
  const float window_x = std::abs(x / 1.6f - std::round(x / 1.6f)),
              window_y = std::abs(y / 2.4f - std::floor(y / 2.4f) - 0.55f);
  return window_x < 0.26f && window_y < 0.26f ? Vec3{0.08f, 0.1f, 0.13f} : front;
}

Vec3 wall_at(const CameraLook& camera, float x, float y) {
  const Vec3 colour = camera.wall_colour;
  const auto noise = [&](float scale, int octaves) {
    return fractal_noise(x * scale, y * scale, octaves, camera.scene + 77);
  };
  const float skirting = y < 0.12f ? 0.45f : 1.0f;
  switch (camera.wall) {
  case Wall::plaster:
    return with_fixture(camera, colour * ((0.85f + 0.3f * noise(0.7f, 2)) * skirting), x, y);
  case Wall::brick: {
    const int row = cell(y, 0.1f);
    const float shifted = x + (row % 2 == 0 ? 0.15f : 0.0f);
    const float mortar = std::max(joint(y, 0.1f, 0.012f), joint(shifted, 0.3f, 0.012f));
    const float shade = 0.7f + 0.6f * cell_value(cell(shifted, 0.3f), row, camera.scene);
    return with_fixture(camera, mix(colour * shade, Vec3{0.45f, 0.43f, 0.4f}, 0.6f * mortar), x, y);
  }
  case Wall::glass: {
    const float frame = std::max(joint(x, 1.3f, 0.07f), joint(y - 0.25f, 2.4f, 0.1f));
    const float sheen = 0.35f + 0.9f * smooth_noise(x * 0.8f + 0.5f * y, y * 0.3f, camera.scene);
    return mix(colour * (sheen * (0.5f + 0.25f * y)), Vec3{0.25f, 0.25f, 0.26f}, frame);
  }
  case Wall::hedge:
    return colour * (0.25f + 1.5f * noise(4, 3) * (0.5f + 0.3f * std::min(y, 2.0f)));
  case Wall::panels: {
    const float shade = 0.85f + 0.3f * cell_value(cell(x, 0.9f), 0, camera.scene);
    return with_fixture(camera, colour * (shade * (1 - 0.5f * joint(x, 0.9f, 0.03f)) * skirting), x, y);
  }
  case Wall::street:
    return street_at(camera, x, y);
  }
  return colour;
}

} // namespace

void paint_background(Canvas& canvas, const View& view, const Frame& frame, const CameraLook& camera,
                      const Backdrop& backdrop, std::span<const float> shadow) {
  const Vec3 eye = view.eye();
  const float facing = camera.light_direction.y;
  const Vec3 wall_light = camera.ambient * 0.9f + camera.light * std::max(0.15f, camera.light_direction.z);
  for (int y = 0; y < canvas.height; ++y)
    for (int x = 0; x < canvas.width; ++x) {
      const float across = (static_cast<float>(x) + 0.5f) / static_cast<float>(canvas.width);
      const float down = (static_cast<float>(y) + 0.5f) / static_cast<float>(canvas.height);
      const Vec3 ray = view.ray(mix(frame.left, frame.right, across), mix(frame.top, frame.bottom, down));
      const float to_wall = (-camera.wall_distance - eye.z) / std::min(ray.z, -1e-4f);
      const float to_floor = ray.y < -1e-4f ? -eye.y / ray.y : 1e9f;
      const float share = shadow[static_cast<std::size_t>(y) * canvas.width + x] * camera.shadow;
      Vec3& pixel = canvas.at(y, x);
      if (to_floor < to_wall) {
        const Vec3 place = eye + ray * to_floor;
        const Vec3 light = camera.ambient * (1 - 0.35f * share) + camera.light * (facing * (1 - share));
        const float near_wall = smooth_step(0, 0.6f, place.z + camera.wall_distance);
        pixel = floor_at(camera, place.x + backdrop.along, place.z) * light * (0.75f + 0.25f * near_wall);
      } else {
        const Vec3 place = eye + ray * to_wall;
        pixel = wall_at(camera, place.x + backdrop.along, std::max(place.y, 0.0f)) * wall_light;
      }
    }
}

} // namespace vlreid
