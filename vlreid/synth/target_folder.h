// A folder that appears complete or not at all: filled beside its place as "<folder>.partial" and renamed at
// the end. What an interrupted run left there is removed by the next one.
#pragma once

#include <filesystem>

namespace vlreid {

// The file by which a made dataset is known.
inline constexpr const char* kDatasetMark = "synth.json";

class TargetFolder {
public:
  // Throws ErrorKind::cannot_create when `folder` is a file, or holds something and `force` is off, or is no
  // made dataset.
  TargetFolder(std::filesystem::path folder, bool force);
  TargetFolder(const TargetFolder&) = delete;
  TargetFolder& operator=(const TargetFolder&) = delete;
  // Without commit(): removes the partial folder.
  ~TargetFolder();

  const std::filesystem::path& path() const { return partial_; }
  void commit();

private:
  std::filesystem::path folder_, partial_;
  bool is_committed_ = false;
};

} // namespace vlreid
