#include "vlreid/synth/veri_lists.h"

#include "vlreid/base/files.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <vector>

namespace vlreid {
namespace {

constexpr int kKinds = 9, kColours = 10;

// Indices of the images of a part, by name.
std::vector<std::size_t> sorted_part(const Plan& plan, Part part) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < plan.images.size(); ++i)
    if (plan.images[i].part == part) indices.push_back(i);
  std::sort(indices.begin(), indices.end(), [&](std::size_t a, std::size_t b) {
    return name_of(SynthKind::vehicle, plan.images[a]) < name_of(SynthKind::vehicle, plan.images[b]);
  });
  return indices;
}

std::string name_at(const Plan& plan, std::size_t index) {
  return name_of(SynthKind::vehicle, plan.images[index]);
}

std::string keypoint_lines(const Plan& plan, Part part, std::span<const KeypointRow> keypoints) {
  std::string text;
  for (const std::size_t index : sorted_part(plan, part)) {
    text += folder_of(SynthKind::vehicle, part) + "/" + name_at(plan, index);
    for (const Keypoint& point : keypoints[index])
      text += fmt::format(" {} {}", point.x, point.y);
    text += fmt::format(" {}\n", viewpoint_of(plan.images[index].yaw));
  }
  return text;
}

std::string name_lines(const Plan& plan, Part part) {
  std::string text;
  for (const std::size_t index : sorted_part(plan, part))
    text += name_at(plan, index) + "\n";
  return text;
}

std::string label_items(const Plan& plan, Part part, std::span<const VehicleLook> looks) {
  std::string text;
  for (const std::size_t index : sorted_part(plan, part)) {
    const PlannedImage& image = plan.images[index];
    const VehicleLook& look = looks[static_cast<std::size_t>(image.look)];
    text += fmt::format("    <Item imageName=\"{}\" vehicleID=\"{:04}\" cameraID=\"c{:03}\" colorID=\"{}\" "
                        "typeID=\"{}\" />\n",
                        name_at(plan, index), image.identity, image.camera + 1,
                        1 + static_cast<int>(look.colour), 1 + static_cast<int>(look.kind));
  }
  return text;
}

std::string label_file(std::string_view root, const std::string& items) {
  const auto count = std::count(items.begin(), items.end(), '\n');
  return fmt::format("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<{0} Version=\"1.0\">\n  <Items "
                     "number=\"{1}\">\n{2}  </Items>\n</{0}>\n",
                     root, count, items);
}

} // namespace

void write_veri_lists(const std::filesystem::path& folder, const Plan& plan,
                      std::span<const KeypointRow> keypoints, std::span<const VehicleLook> train,
                      std::span<const VehicleLook> test) {
  write_file(folder / "keypoint_train.txt", keypoint_lines(plan, Part::train, keypoints));
  write_file(folder / "keypoint_test.txt",
             keypoint_lines(plan, Part::query, keypoints) + keypoint_lines(plan, Part::gallery, keypoints));
  write_file(folder / "name_train.txt", name_lines(plan, Part::train));
  write_file(folder / "name_query.txt", name_lines(plan, Part::query));
  write_file(folder / "name_test.txt", name_lines(plan, Part::gallery));
  write_file(folder / "train_label.xml", label_file("TrainingImages", label_items(plan, Part::train, train)));
  write_file(folder / "test_label.xml", label_file("TestImages", label_items(plan, Part::query, test) +
                                                                     label_items(plan, Part::gallery, test)));
  std::string types, colours;
  for (int i = 0; i < kKinds; ++i)
    types += fmt::format("{} {}\n", i + 1, name_of(static_cast<VehicleKind>(i)));
  for (int i = 0; i < kColours; ++i)
    colours += fmt::format("{} {}\n", i + 1, name_of(static_cast<VehicleColour>(i)));
  write_file(folder / "list_type.txt", types);
  write_file(folder / "list_color.txt", colours);
}

} // namespace vlreid
