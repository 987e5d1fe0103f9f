// The lists that come with VeRi-776: keypoint_train.txt and keypoint_test.txt (path, 20 x (x, y), viewpoint),
// name_*.txt, train_label.xml and test_label.xml, list_type.txt and list_color.txt.
#pragma once

#include "vlreid/synth/plan.h"
#include "vlreid/synth/vehicle_picture.h"

#include <array>
#include <filesystem>
#include <span>

namespace vlreid {

using KeypointRow = std::array<Keypoint, kVehicleKeypoints>;

// `keypoints` in the order of plan.images.
void write_veri_lists(const std::filesystem::path& folder, const Plan& plan,
                      std::span<const KeypointRow> keypoints, std::span<const VehicleLook> train,
                      std::span<const VehicleLook> test);

} // namespace vlreid
