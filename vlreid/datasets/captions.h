// Image-caption pairs: what contrastive pre-training learns from and text -> image retrieval is scored on.
// One file lists them:
//
//     CUHK-PEDES, ICFG-PEDES, RSTPReid   JSON: [{"file_path" or "img_path", "captions": [...], "id",
//     "split"}] CSV                                header path,caption[,identity,split]; one caption a row
//
// `vlreid synth` writes the first form. Reading touches the list only, never the images. Immutable
// afterwards.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

enum class CaptionSplit { none, train, val, test };

struct CaptionedImage {
  std::string path; // as on disk: the images' folder, then the path of the list
  // Numbers 0..n-1 in the order in which identities appear; an image without one is an identity of its own.
  std::int64_t identity = 0;
  CaptionSplit split = CaptionSplit::none; // none: part of every split
  std::vector<std::string> captions;       // at least one, in the order of the list, not blank

  bool operator==(const CaptionedImage&) const = default;
};

struct CaptionSet {
  std::filesystem::path list, images_root;
  std::vector<CaptionedImage> images; // each path once, in the order of the list
  std::int64_t identities = 0;
};

// images_root: the folder that the paths begin in; empty: the list's own, or `imgs/` or `ICFG-PEDES/` in it,
// whichever holds the first image. Throws Error: missing (the list, or its first image), data with file:line
// or file[element] for what is in it.
CaptionSet open_captions(const std::filesystem::path& list, const std::filesystem::path& images_root = {});

// The images of "train", "val", "test" or "all". Throws Error: usage for another word, data when none is
// left.
std::vector<CaptionedImage> select_split(const CaptionSet& set, std::string_view split);

} // namespace vlreid
