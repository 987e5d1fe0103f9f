#include "vlreid/inference/model_settings.h"

namespace vlreid {

ModelSettings settings_from(const Config& config, const ConfigTrace& trace, bool has_file) {
  const auto is_given = [&](std::string_view key) {
    const auto sources = trace.keys.find(key);
    return has_file || (sources != trace.keys.end() && sources->second.size() > 1);
  };
  ModelSettings settings;
  if (is_given("INPUT.SIZE_TEST")) settings.input_size = config.input.test_size;
  if (is_given("INPUT.PIXEL_MEAN")) settings.pixel_mean = config.input.pixel_mean;
  if (is_given("INPUT.PIXEL_STD")) settings.pixel_std = config.input.pixel_std;
  if (is_given("MODEL.STRIDE_SIZE")) settings.stride = config.model.stride;
  if (is_given("MODEL.SIE_CAMERA")) settings.sie_camera = config.model.sie_camera;
  if (is_given("MODEL.SIE_VIEW")) settings.sie_view = config.model.sie_view;
  if (is_given("MODEL.SIE_COE")) settings.sie_factor = config.model.sie_factor;
  if (is_given("TEST.NECK_FEAT")) settings.uses_neck = config.test.uses_neck();
  if (is_given("alpha")) settings.lora_alpha = config.lora.alpha;
  return settings;
}

} // namespace vlreid
