#include "vlreid/synth/target_folder.h"

#include "vlreid/base/error.h"
#include "vlreid/base/files.h"

#include <system_error>

namespace vlreid {
namespace fs = std::filesystem;
namespace {

// Without a slash at the end, which would make "x/.partial" of "x/".
fs::path without_slash(const fs::path& folder) {
  const fs::path normal = fs::absolute(folder).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

void check_replaceable(const fs::path& folder, bool force) {
  if (!fs::exists(folder)) return;
  VLREID_REQUIRE(fs::is_directory(folder), ErrorKind::cannot_create, folder.string(), "a file",
                 "a folder or nothing", "name another folder");
  if (fs::is_empty(folder)) return;
  VLREID_REQUIRE(force, ErrorKind::cannot_create, folder.string(), "the folder is not empty",
                 "an empty or new folder", "name another folder, or replace it with --force");
  VLREID_REQUIRE(fs::exists(folder / kDatasetMark), ErrorKind::cannot_create, folder.string(),
                 "the folder holds something that is no made dataset",
                 std::string("a folder with ") + kDatasetMark, "remove it yourself, or name another folder");
}

void check(const std::error_code& error, const fs::path& place, std::string_view doing) {
  if (error) fail_errno(error.value(), place.string(), doing);
}

} // namespace

TargetFolder::TargetFolder(fs::path folder, bool force)
    : folder_(without_slash(folder)), partial_(folder_.string() + ".partial") {
  check_replaceable(folder_, force);
  std::error_code error;
  fs::remove_all(partial_, error);
  check(error, partial_, "removing what an interrupted run left");
  fs::create_directories(partial_, error);
  check(error, partial_, "creating the folder");
}

TargetFolder::~TargetFolder() {
  std::error_code ignored;
  if (!is_committed_) fs::remove_all(partial_, ignored);
}

void TargetFolder::commit() {
  std::error_code error;
  fs::remove_all(folder_, error);
  check(error, folder_, "removing the old folder");
  fs::rename(partial_, folder_, error);
  check(error, folder_, "putting the folder in place");
  is_committed_ = true;
  sync_folder(folder_.parent_path());
}

} // namespace vlreid
