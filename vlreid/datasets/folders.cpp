// One folder per identity: ROOT/<identity>/<image>, or with a split
// ROOT/{train,query,gallery}/<identity>/<image>. No cameras.
#include "vlreid/base/files.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/datasets/reading.h"
#include "vlreid/datasets/user_sets.h"

#include <algorithm>
#include <array>
#include <system_error>

namespace vlreid {
namespace fs = std::filesystem;

namespace {

const std::array<std::string, 3> kSplitFolders = {"train", "query", "gallery"};

// Names in byte order, hidden ones left out.
std::vector<std::string> list_folders(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) fail_errno(error.value(), folder.string(), "cannot list the folder");
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && entry.is_directory(error)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void read_identities(UserSetBuilder& builder, const fs::path& folder, Split split) {
  for (const std::string& identity : list_folders(folder)) {
    const std::string prefix = (folder / identity / "").string();
    for (const std::string& file : list_files(folder / identity))
      if (has_image_extension(file)) builder.add(prefix + file, identity, 0, 0, split);
  }
}

} // namespace

Dataset make_folders(const fs::path& root, const DatasetOptions&) {
  VLREID_REQUIRE(is_folder(root), ErrorKind::missing, root.string(), "no such folder",
                 "a folder with one folder per identity", "check the path");
  Dataset dataset{.name = "folders", .root = root};
  dataset.has_cameras = false;
  UserSetBuilder builder;
  const bool has_split = std::any_of(kSplitFolders.begin(), kSplitFolders.end(),
                                     [&](const std::string& name) { return is_folder(root / name); });
  if (!has_split) read_identities(builder, root, Split::none);
  for (const std::string& name : kSplitFolders)
    if (has_split && is_folder(root / name)) read_identities(builder, root / name, parse_split(name).value());
  VLREID_REQUIRE(builder.size() > 0, ErrorKind::data, root.string(), "no image in any folder below it",
                 "<identity>/<image>, or train/, query/ and gallery/ with such folders in them",
                 "put the images of each identity in a folder of its own");
  builder.build_into(dataset);
  return dataset;
}

} // namespace vlreid
