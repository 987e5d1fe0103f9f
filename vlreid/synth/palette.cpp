#include "vlreid/synth/palette.h"

namespace vlreid {
namespace {

struct Shades {
  std::uint32_t dark, light; // the ends of what bears the name
};

Shades shades_of(ClothColour name) {
  switch (name) {
  case ClothColour::black:
    return {0x101012, 0x2c2c32};
  case ClothColour::white:
    return {0xd6d6d2, 0xf6f6f4};
  case ClothColour::red:
    return {0x8c1420, 0xd8343a};
  case ClothColour::purple:
    return {0x54307c, 0x9a6cc0};
  case ClothColour::yellow:
    return {0xd0a41c, 0xf0dc5a};
  case ClothColour::gray:
    return {0x6a6c70, 0xa6a8ac};
  case ClothColour::blue:
    return {0x1c3470, 0x4478c4};
  case ClothColour::green:
    return {0x1e5c34, 0x64a860};
  case ClothColour::pink:
    return {0xd8708e, 0xf4b4c4};
  case ClothColour::brown:
    return {0x5a3a22, 0x9a744c};
  }
  return {0x808080, 0x808080};
}

} // namespace

Vec3 from_srgb(std::uint32_t hex) {
  const auto linear = [](std::uint32_t byte) {
    const float value = static_cast<float>(byte & 255) / 255;
    return value <= 0.04045f ? value / 12.92f : std::pow((value + 0.055f) / 1.055f, 2.4f);
  };
  return {linear(hex >> 16), linear(hex >> 8), linear(hex)};
}

float to_srgb(float linear) {
  const float value = std::clamp(linear, 0.0f, 1.0f);
  return value <= 0.0031308f ? 12.92f * value : 1.055f * std::pow(value, 1 / 2.4f) - 0.055f;
}

Cloth make_cloth(ClothColour name, Random& random) {
  const Shades shades = shades_of(name);
  return {name, mix(from_srgb(shades.dark), from_srgb(shades.light), static_cast<float>(random.uniform()))};
}

Cloth make_accessory(Random& random) {
  using enum ClothColour;
  static constexpr Weighted<ClothColour> kColours[] = {{black, 34}, {brown, 16}, {gray, 14}, {white, 10},
                                                       {blue, 8},   {red, 6},    {green, 4}, {pink, 4},
                                                       {purple, 2}, {yellow, 2}};
  return make_cloth(choose(random, kColours), random);
}

Cloth nearly(const Cloth& cloth, Random& random) {
  const auto factor = [&] { return static_cast<float>(random.uniform(0.9, 1.1)); };
  return {cloth.name, cloth.rgb * Vec3{factor(), factor(), factor()}};
}

} // namespace vlreid
