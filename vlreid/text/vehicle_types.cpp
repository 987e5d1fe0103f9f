#include "vlreid/text/vehicle_types.h"

#include <algorithm>
#include <array>
#include <utility>

namespace vlreid {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kTypes{{
    {"bus", "a long vehicle with many windows that carries many passengers"},
    {"estate", "a low car whose roof goes on to the rear over a long load space"},
    {"hatchback", "a short car with a steep rear door that opens together with its window"},
    {"mpv", "a tall family car with a short bonnet and three rows of seats"},
    {"pickup", "a vehicle with a cabin in front and an open load bed behind it"},
    {"sedan", "a low car with four doors and a boot that stands apart behind the rear window"},
    {"suv", "a high car with large wheels, a raised floor and an upright rear"},
    {"truck", "a heavy vehicle with a separate cabin that pulls or carries goods"},
    {"van", "a box-shaped vehicle with a sliding side door and a closed load space"},
}};

} // namespace

std::string vehicle_type_text(std::string_view type) {
  if (type.empty()) return "background.";
  const std::string_view last = type.substr(type.rfind(' ') + 1);
  const auto known = std::ranges::find(kTypes, last, [](const auto& entry) { return entry.first; });
  if (known == kTypes.end()) return std::string(type) + ".";
  return std::string(type) + ", " + std::string(known->second) + ".";
}

} // namespace vlreid
