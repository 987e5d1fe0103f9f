#include "vlreid/synth/developing.h"

#include "vlreid/image/resize.h"
#include "vlreid/synth/background.h"

namespace vlreid {
namespace {

// Of the ground in the size of the canvas, from a shadow drawn at half of it.
std::vector<float> soft_shadow(const Scene& scene, const Shot& shot, const CameraLook& camera, int height,
                               int width) {
  const int small_height = height / 2, small_width = width / 2;
  const auto hard =
      ground_shadow(scene.mesh, shot.view, shot.frame, camera.light_direction, small_height, small_width);
  Canvas mask(small_height, small_width);
  for (std::size_t i = 0; i < hard.size(); ++i)
    mask.pixels[i].x = hard[i];
  blur(mask, 0.012f * static_cast<float>(small_height));
  std::vector<float> soft(static_cast<std::size_t>(height) * width);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      soft[static_cast<std::size_t>(y) * width + x] =
          mask.at(std::min(y / 2, small_height - 1), std::min(x / 2, small_width - 1)).x;
  return soft;
}

} // namespace

Image expose(const Scene& scene, const Shot& shot, const CameraLook& camera, Random& random,
             DepthBuffer* depths) {
  const auto sensed = [&](int size) {
    return std::max(16, static_cast<int>(static_cast<float>(size) * camera.sharpness));
  };
  const int height = sensed(shot.height) * kSupersampling, width = sensed(shot.width) * kSupersampling;
  Canvas canvas(height, width);
  const auto shadow = soft_shadow(scene, shot, camera, height, width);
  paint_background(canvas, shot.view, shot.frame, camera, {.along = shot.along}, shadow);
  DepthBuffer buffer(height, width);
  buffer.draw(scene.mesh, shot.view, shot.frame);
  buffer.shade(scene, shot.view, {camera.light_direction, camera.light, camera.ambient}, canvas);
  Image image = develop(shrink(canvas, kSupersampling), camera, random);
  if (depths != nullptr) *depths = std::move(buffer);
  if (image.height == shot.height && image.width == shot.width) return image;
  return resize(image, {.height = shot.height, .width = shot.width, .filter = Filter::bicubic});
}

} // namespace vlreid
