#include "vlreid/inference/image_list.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"
#include "vlreid/base/strings.h"

#include <algorithm>
#include <array>

namespace vlreid {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 5> kExtensions = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};

std::vector<std::string> images_below(const fs::path& folder) {
  std::vector<std::string> paths;
  for (const std::string& name : list_files_recursively(folder))
    if (std::ranges::count(kExtensions, to_lower_ascii(fs::path(name).extension().string())) > 0)
      paths.push_back((folder / name).string());
  return paths;
}

std::vector<std::string> images_of_list(const fs::path& list) {
  std::vector<std::string> paths;
  for (const std::string& line : split(read_text(list), '\n')) {
    const std::string_view path = trim(line);
    if (!path.empty())
      paths.push_back((list.parent_path() / path).string()); // an absolute path replaces the folder
  }
  return paths;
}

} // namespace

std::vector<std::string> list_images(const fs::path& source) {
  std::vector<std::string> paths = fs::is_directory(source) ? images_below(source) : images_of_list(source);
  VLREID_REQUIRE(!paths.empty(), ErrorKind::data, source.string(), "no image",
                 "files that end in .jpg, .jpeg, .png, .webp or .bmp", "name another folder or list");
  std::ranges::sort(paths);
  return paths;
}

} // namespace vlreid
