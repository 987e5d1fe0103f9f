// Random weights of any CLIP architecture under OpenAI's names, for tests, benchmarks and training from
// scratch: normal numbers with the deviations that CLIP starts from. The same seed gives the same numbers.
// Thread safe.
#pragma once

#include "vlreid/config/clip_sizes.h"
#include "vlreid/weights/state_dict.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace vlreid {

struct ClipArchitecture {
  std::int64_t embed = 512;      // E
  std::int64_t image_size = 224; // one side, pixels

  std::int64_t vision_width = 768;                          // D; of a ResNet: the stem, 64 for RN50
  std::int64_t vision_layers = 12;                          // ViT
  std::int64_t patch = 16;                                  // ViT
  std::array<std::int64_t, 4> resnet_layers = {0, 0, 0, 0}; // all zero: a ViT

  std::int64_t text_width = 512;
  std::int64_t text_layers = 12; // 0: no text tower
  std::int64_t vocabulary = 49408;
  std::int64_t context_length = 77;

  bool is_resnet() const { return resnet_layers[0] > 0; }
};

// "ViT-B/32", "ViT-B/16", "ViT-L/14", "ViT-L/14@336px", "RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", and
// "tiny-vit", "tiny-rn" for tests. Another name is a usage error.
ClipArchitecture published_clip(std::string_view name);

// Sizes from a file. The positional table of a plain CLIP is square; for another image its side is the least
// common multiple of the grid's sides, so that every cell of the grid has a whole block of the table. A grid
// that would need more than 64 rows a side is a configuration error.
ClipArchitecture clip_architecture(const ClipSizes& sizes);

StateDict random_clip(const ClipArchitecture& architecture, std::uint64_t seed);

} // namespace vlreid
