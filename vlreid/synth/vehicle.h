// A made vehicle: what stays the same from camera to camera, as one type; the counterpart of person.h. Kinds
// and colours are those of VeRi-776, in its order (codes count from 1).
#pragma once

#include "vlreid/synth/geometry.h"
#include "vlreid/synth/options.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace vlreid {

enum class VehicleKind { sedan, suv, van, hatchback, mpv, pickup, bus, truck, estate };
enum class VehicleColour { yellow, orange, green, gray, red, blue, white, golden, brown, black };
std::string_view name_of(VehicleKind kind);
std::string_view name_of(VehicleColour colour);

struct VehicleLook {
  VehicleKind kind = VehicleKind::sedan;
  VehicleColour colour = VehicleColour::gray;
  Vec3 paint = {}, second = {}; // second: of stripe, logo or load
  float stretch = 1;            // of length and height
  bool has_roof_rack = false, has_sunroof = false, has_spoiler = false;
  bool has_stripe = false, has_logo = false, has_dark_windows = false;
  bool has_two_tone = false; // the lower half in the second colour
  bool has_dark_bumpers = false;
  float detail = 0; // place and size of stripe and logo
  int spokes = 5;
  std::uint64_t plate = 0;
};

int count_differences(const VehicleLook& left, const VehicleLook& right);

// In groups of kVehiclesOfAKind with the same kind and nearly the same paint, as make_people.
inline constexpr int kVehiclesOfAKind = 4;
std::vector<VehicleLook> make_vehicles(std::uint64_t seed, SynthDomain domain, std::uint64_t part, int count);

// VeRi's eight viewpoints for the side that is shown: 0 front, 1 rear, 2 left, 3 left front, 4 left rear, 5
// right, 6 right front, 7 right rear.
int viewpoint_of(float yaw);

} // namespace vlreid
