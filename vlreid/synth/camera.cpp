#include "vlreid/synth/camera.h"

#include "vlreid/synth/palette.h"

#include <array>

namespace vlreid {
namespace {

constexpr std::uint64_t kCameraKey = 0xCA3E7A; // keeps these numbers apart from those of people

class CameraMaker {
public:
  CameraMaker(std::uint64_t seed, SynthDomain domain, int camera)
      : random_({seed, kCameraKey + static_cast<std::uint64_t>(domain), static_cast<std::uint64_t>(camera)}),
        domain_(domain), camera_(camera) {}

  CameraLook make() {
    look_.scene = (static_cast<std::uint64_t>(random_.bits()) << 16) ^ static_cast<std::uint64_t>(camera_);
    choose_place();
    choose_scene();
    choose_light();
    choose_electronics();
    return look_;
  }

private:
  float real(double low, double high) { return static_cast<float>(random_.uniform(low, high)); }
  bool is_indoors() const { return look_.floor == Floor::tiles || look_.floor == Floor::parquet; }

  void choose_place() {
    const bool is_steep = domain_ == SynthDomain::b;
    look_.pitch = is_steep ? real(0.2, 0.55) : real(0.03, 0.3);
    look_.distance = real(6, 14);
    look_.yaw = real(0, 2 * kPi);
    look_.yaw_spread = real(0.2, 0.6);
    look_.box_jitter = real(0.02, 0.06);
  }

  void choose_scene() {
    static constexpr Weighted<Floor> kCampus[] = {
        {Floor::paving, 4}, {Floor::asphalt, 3}, {Floor::grass, 3}, {Floor::tiles, 1}};
    static constexpr Weighted<Floor> kStation[] = {
        {Floor::tiles, 5}, {Floor::parquet, 2}, {Floor::asphalt, 2}, {Floor::paving, 2}};
    look_.floor = domain_ == SynthDomain::a ? choose(random_, kCampus) : choose(random_, kStation);
    static constexpr Weighted<Wall> kOutdoors[] = {
        {Wall::brick, 3}, {Wall::hedge, 3}, {Wall::street, 3}, {Wall::glass, 2}};
    static constexpr Weighted<Wall> kIndoors[] = {{Wall::plaster, 4}, {Wall::glass, 3}, {Wall::panels, 3}};
    look_.wall = is_indoors() ? choose(random_, kIndoors) : choose(random_, kOutdoors);
    look_.wall_distance = look_.wall == Wall::street ? real(12, 20) : real(2, 7);
    static constexpr std::array<std::uint32_t, 5> kFloors{0xa09a90, 0x5c5d60, 0x5e7a3a, 0xb8b2a4, 0x9a7448};
    static constexpr std::array<std::uint32_t, 6> kWalls{0xc4bca8, 0x94553f, 0x6c8290,
                                                         0x3e5c30, 0x8e979c, 0x8a8478};
    const auto shade = [&](std::uint32_t hex) {
      return from_srgb(hex) * Vec3{real(0.75, 1.3), real(0.75, 1.3), real(0.75, 1.3)};
    };
    look_.floor_colour = shade(kFloors[static_cast<std::size_t>(look_.floor)]);
    look_.wall_colour = shade(kWalls[static_cast<std::size_t>(look_.wall)]);
  }

  void choose_light() {
    look_.light_direction = normalised({real(-1, 1), real(0.7, 1.6), real(-0.2, 1)});
    const float harsh = is_indoors() ? real(0.35, 0.7) : real(0.4, 1.2);
    look_.light = mix(Vec3{1, 0.93f, 0.82f}, Vec3{0.94f, 0.98f, 1}, real(0, 1)) * harsh;
    look_.ambient =
        mix(Vec3{0.8f, 0.9f, 1.05f}, Vec3{1.05f, 0.95f, 0.82f}, real(0, 1)) * (1.05f - 0.5f * harsh);
    look_.shadow = is_indoors() ? real(0.25, 0.5) : real(0.4, 0.9);
  }

  void choose_electronics() {
    // Casts lie around the hue circle, neighbours far apart (golden ratio), so that no two cameras agree.
    const float hue = 2 * kPi * (0.618034f * static_cast<float>(camera_) + real(0, 0.15));
    const float cast = real(0.08, 0.2);
    look_.gain = {1 + cast * std::cos(hue), 1 + cast * std::cos(hue - 2 * kPi / 3),
                  1 + cast * std::cos(hue + 2 * kPi / 3)};
    look_.exposure = std::exp(real(-0.4, 0.35));
    look_.gamma = real(0.8, 1.3);
    look_.saturation = real(0.5, 1.2);
    look_.contrast = real(0.8, 1.2);
    look_.sharpness = domain_ == SynthDomain::a ? real(0.55, 1) : real(0.45, 1);
    look_.blur = real(0.2, 0.6);
    look_.noise = real(0.006, 0.028);
    look_.jpeg_quality = 55 + static_cast<int>(random_.below(38));
  }

  Random random_;
  SynthDomain domain_;
  int camera_;
  CameraLook look_;
};

// Highlights roll off instead of clipping at once; then the camera's own curve from light to stored values.
float curve_at(const CameraLook& camera, float value) {
  const float soft = value < 0.7f ? value : 0.7f + 0.3f * (1 - std::exp((0.7f - value) / 0.3f));
  const float stored = std::pow(to_srgb(soft), camera.gamma);
  return 0.45f + (stored - 0.45f) * camera.contrast;
}

// curve_at as a table over [0, kTop).
class Curve {
public:
  explicit Curve(const CameraLook& camera) {
    for (int i = 0; i < kSteps; ++i)
      table_[i] = curve_at(camera, kTop * static_cast<float>(i * i) / (kSteps * kSteps));
  }
  // Steps are fine in the dark: the table is indexed by the square root.
  float operator()(float value) const {
    const float place = std::sqrt(std::clamp(value / kTop, 0.0f, 0.9999f)) * kSteps;
    return table_[static_cast<std::size_t>(place)];
  }

private:
  static constexpr int kSteps = 1024;
  static constexpr float kTop = 3;
  std::array<float, kSteps> table_;
};

Vec3 balance(Vec3 colour, const CameraLook& camera, float exposure) {
  colour = colour * camera.gain * (camera.exposure * exposure);
  const float grey = dot(colour, {0.2126f, 0.7152f, 0.0722f});
  return mix(Vec3{grey, grey, grey}, colour, camera.saturation);
}

// Sensor noise with mean 0 and deviation 1, mostly common to the three channels: sums and single bytes of
// random words.
struct Grain {
  float channels[3];
};
Grain make_grain(Random& random) {
  constexpr float kByteMean = 127.5f, kByteDeviation = 73.9f;
  const std::uint32_t first = random.bits(), second = random.bits();
  const auto byte = [](std::uint32_t word, int place) {
    return static_cast<float>((word >> (8 * place)) & 255) - kByteMean;
  };
  const float common =
      0.5f * (byte(first, 0) + byte(first, 1) + byte(first, 2) + byte(first, 3)) / kByteDeviation;
  Grain grain;
  for (int i = 0; i < 3; ++i)
    grain.channels[i] = 0.8f * common + 0.6f * byte(second, i) / kByteDeviation;
  return grain;
}

} // namespace

CameraLook make_camera(std::uint64_t seed, SynthDomain domain, int camera) {
  return CameraMaker(seed, domain, camera).make();
}

Image develop(const Canvas& canvas, const CameraLook& camera, Random& random) {
  Canvas sensed = canvas;
  blur(sensed, camera.blur);
  const Curve curve(camera);
  const float exposure = std::exp(0.08f * static_cast<float>(random.normal()));
  const float strength = camera.noise * static_cast<float>(random.uniform(0.7, 1.3));
  Image image = make_image(canvas.height, canvas.width);
  for (int y = 0; y < canvas.height; ++y) {
    std::uint8_t* row = image.row(y);
    for (int x = 0; x < canvas.width; ++x) {
      const Vec3 colour = balance(sensed.at(y, x), camera, exposure);
      const Grain grain = make_grain(random);
      const float values[] = {curve(colour.x), curve(colour.y), curve(colour.z)};
      for (int i = 0; i < 3; ++i) {
        const float noisy = std::clamp(values[i] + strength * grain.channels[i], 0.0f, 1.0f);
        row[3 * x + i] = static_cast<std::uint8_t>(noisy * 255 + 0.5f);
      }
    }
  }
  return image;
}

} // namespace vlreid
