#include "vlreid/synth/vehicle.h"

#include "vlreid/base/random.h"
#include "vlreid/synth/palette.h"

#include <array>
#include <limits>
#include <span>

namespace vlreid {

std::string_view name_of(VehicleKind kind) {
  static constexpr std::array<std::string_view, 9> kNames{"sedan",  "suv", "van",   "hatchback", "mpv",
                                                          "pickup", "bus", "truck", "estate"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view name_of(VehicleColour colour) {
  static constexpr std::array<std::string_view, 10> kNames{"yellow", "orange", "green",  "gray",  "red",
                                                           "blue",   "white",  "golden", "brown", "black"};
  return kNames[static_cast<std::size_t>(colour)];
}

namespace {

constexpr std::uint64_t kVehicleKey = 0x7E41C1E; // keeps these numbers apart from those of people

Vec3 paint_of(VehicleColour colour) {
  static constexpr std::array<std::uint32_t, 10> kPaints{0xe0c020, 0xd8701c, 0x2c6a3c, 0x808488, 0xb01c24,
                                                         0x244a9c, 0xe8e8e6, 0xb8a068, 0x5c4030, 0x18181c};
  return from_srgb(kPaints[static_cast<std::size_t>(colour)]);
}

VehicleColour any_colour(Random& random, SynthDomain domain) {
  using enum VehicleColour;
  static constexpr Weighted<VehicleColour> kA[] = {{white, 6},  {black, 5},  {gray, 5},  {red, 4},
                                                   {blue, 4},   {yellow, 2}, {green, 2}, {golden, 2},
                                                   {orange, 1}, {brown, 1}};
  static constexpr Weighted<VehicleColour> kB[] = {{black, 8}, {gray, 8}, {white, 6}, {blue, 3},
                                                   {brown, 3}, {red, 1},  {golden, 2}};
  return domain == SynthDomain::a ? choose(random, kA) : choose(random, kB);
}

VehicleKind any_kind(Random& random) {
  using enum VehicleKind;
  static constexpr Weighted<VehicleKind> kKinds[] = {{sedan, 7},     {suv, 5},   {van, 3},
                                                     {hatchback, 5}, {mpv, 3},   {pickup, 2},
                                                     {bus, 2},       {truck, 3}, {estate, 3}};
  return choose(random, kKinds);
}

VehicleLook make_vehicle(Random& random, VehicleKind kind, VehicleColour colour, Vec3 paint) {
  const auto real = [&](double low, double high) { return static_cast<float>(random.uniform(low, high)); };
  VehicleLook look{.kind = kind, .colour = colour};
  look.paint = paint * real(0.9, 1.1);
  look.second = make_cloth(static_cast<ClothColour>(random.below(10)), random).rgb;
  look.stretch = real(0.92, 1.08);
  const bool is_large = kind == VehicleKind::bus || kind == VehicleKind::truck || kind == VehicleKind::van;
  look.has_roof_rack = !is_large && kind != VehicleKind::pickup && random.chance(0.35);
  look.has_sunroof = !is_large && !look.has_roof_rack && random.chance(0.35);
  look.has_spoiler = !is_large && kind != VehicleKind::pickup && random.chance(0.3);
  look.has_stripe = random.chance(0.35);
  look.has_logo = random.chance(is_large ? 0.6 : 0.12);
  look.has_dark_windows = random.chance(0.3);
  look.has_two_tone = random.chance(0.15);
  look.has_dark_bumpers = random.chance(0.35);
  look.detail = real(0, 1);
  look.spokes = static_cast<int>(random.below(4)) + 4;
  look.plate = random.bits();
  return look;
}

} // namespace

int count_differences(const VehicleLook& a, const VehicleLook& b) {
  return (a.has_roof_rack != b.has_roof_rack) + (a.has_sunroof != b.has_sunroof) +
         (a.has_spoiler != b.has_spoiler) + (a.has_stripe != b.has_stripe) + (a.has_logo != b.has_logo) +
         (a.has_dark_windows != b.has_dark_windows) + (a.has_two_tone != b.has_two_tone) +
         (a.has_dark_bumpers != b.has_dark_bumpers);
}

std::vector<VehicleLook> make_vehicles(std::uint64_t seed, SynthDomain domain, std::uint64_t part,
                                       int count) {
  constexpr int kEnough = 2, kTries = 60;
  std::vector<VehicleLook> vehicles;
  for (std::uint64_t group = 0; static_cast<int>(vehicles.size()) < count; ++group) {
    Random random({seed, (part << 32) | group, kVehicleKey + static_cast<std::uint64_t>(domain)});
    const VehicleKind kind = any_kind(random);
    const VehicleColour colour = any_colour(random, domain);
    const Vec3 paint = paint_of(colour) * static_cast<float>(random.uniform(0.75, 1.25));
    const std::size_t first = vehicles.size();
    for (int member = 0; member < kVehiclesOfAKind && static_cast<int>(vehicles.size()) < count; ++member) {
      VehicleLook best;
      int best_difference = -1;
      for (int attempt = 0; attempt < kTries && best_difference < kEnough; ++attempt) {
        const VehicleLook look = make_vehicle(random, kind, colour, paint);
        int difference = std::numeric_limits<int>::max();
        for (const VehicleLook& other : std::span(vehicles).subspan(first))
          difference = std::min(difference, count_differences(look, other));
        if (difference > best_difference) best_difference = difference, best = look;
      }
      vehicles.push_back(best);
    }
  }
  return vehicles;
}

int viewpoint_of(float yaw) {
  // Eighths of a turn from the front over the right side.
  static constexpr std::array<int, 8> kViews{0, 6, 5, 7, 1, 4, 2, 3};
  const int eighth = static_cast<int>(std::floor(yaw / (kPi / 4) + 0.5f));
  return kViews[static_cast<std::size_t>(((eighth % 8) + 8) % 8)];
}

} // namespace vlreid
