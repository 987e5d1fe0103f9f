// Which images to embed: all below a folder, or the lines of a list file; sorted by path, bytewise. Plain
// functions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vlreid {

// `source` is a folder (every .jpg, .jpeg, .png, .webp and .bmp below it, whatever the case; hidden ones left
// out) or a text file with one path a line (relative to that file; blank lines left out). Errors: missing;
// data when there is no image.
std::vector<std::string> list_images(const std::filesystem::path& source);

} // namespace vlreid
