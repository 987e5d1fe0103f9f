// What a weights file does not say by itself, or what the user wants otherwise: input size, stride, side
// information, neck, pixels. Everything is optional; what is not set follows from the weights. Plain value.
#pragma once

#include "vlreid/config/config.h"

#include <array>
#include <cstdint>
#include <optional>

namespace vlreid {

struct ModelSettings {
  std::optional<std::array<std::int64_t, 2>> input_size; // height, width
  std::optional<std::array<std::int64_t, 2>> stride;     // of the patches
  std::optional<bool> sie_camera, sie_view;
  std::optional<double> sie_factor;
  std::optional<bool> uses_neck; // NECK_FEAT after
  std::optional<std::array<double, 3>> pixel_mean, pixel_std;
  std::optional<double> lora_alpha;
};

// The settings that a configuration makes: with a file every key counts, as in the references (their defaults
// included); without one only the keys that were given.
ModelSettings settings_from(const Config& config, const ConfigTrace& trace, bool has_file);

} // namespace vlreid
