#include "vlreid/config/clip_sizes.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/config/field.h"
#include "vlreid/config/yaml_reader.h"

#include <fmt/format.h>
#include <map>

namespace vlreid {

namespace {

constexpr std::int64_t kHeadWidth = 64;

void require(bool holds, const std::string& place, std::string found, std::string expected) {
  VLREID_REQUIRE(holds, ErrorKind::config, place, std::move(found), std::move(expected), "correct the value");
}

// What no range of a single value says.
void check_together(const ClipSizes& sizes, const std::string& place) {
  for (const auto& [key, width] :
       {std::pair{"VISION.WIDTH", sizes.vision.width}, {"TEXT.WIDTH", sizes.text.width}})
    require(width % kHeadWidth == 0, place, fmt::format("{} is {}", key, width),
            "a multiple of 64, the width of CLIP's heads");
  const std::int64_t heads = sizes.text.width / kHeadWidth;
  require(sizes.text.heads == 0 || sizes.text.heads == heads, place,
          fmt::format("TEXT.HEADS is {}", sizes.text.heads), fmt::format("{}: TEXT.WIDTH / 64", heads));
  const auto [height, width] = sizes.vision.image_size;
  const std::int64_t patch = sizes.vision.patch;
  require(height % patch == 0 && width % patch == 0, place,
          fmt::format("VISION.IMAGE_SIZE is [{}, {}]", height, width),
          fmt::format("multiples of PATCH_SIZE, {}", patch));
}

} // namespace

ClipSizes load_clip_sizes(const std::filesystem::path& path) {
  ClipSizes sizes;
  const FieldTable table(sizes);
  const YamlText yaml = read_yaml(read_text(path, kMaxYamlBytes), path.string());
  require(!yaml.base, path.string(), "_BASE_", "a file of sizes that stands alone");
  for (const YamlEntry& entry : yaml.entries)
    if (const Field* field = field_of(table, entry)) {
      field->assign(entry.value, entry.place);
      field->check(entry.place);
    }
  check_together(sizes, path.string());
  return sizes;
}

} // namespace vlreid
