// The sizes of a CLIP that is trained from scratch, from a small YAML file (configs/clip/tiny.yml). Weights
// say their sizes themselves, so only a model without weights needs this. Reading and errors as in config.h.
// Plain value.
#pragma once

#include "vlreid/config/options.h"

#include <filesystem>

namespace vlreid {

struct ClipVisionSizes {
  std::int64_t width = 768; // a multiple of 64, the width of a head
  std::int64_t layers = 12;
  std::int64_t patch = 16;
  std::array<std::int64_t, 2> image_size = {224, 224}; // height, width

  template <class V>
  void visit(V& v) {
    v("WIDTH", width, {.help = "width of the image tower, a multiple of 64", .minimum = 64, .maximum = 8192});
    v("LAYERS", layers, {.help = "its blocks", .minimum = 1, .maximum = 256});
    v("PATCH_SIZE", patch, {.help = "side of a patch in pixels", .minimum = 1, .maximum = 256});
    v("IMAGE_SIZE", image_size,
      {.help = "height and width of training images", .minimum = 1, .maximum = 4096});
  }
};

struct ClipTextSizes {
  std::int64_t width = 512;
  std::int64_t layers = 12;
  std::int64_t heads = 0; // 0: width / 64, which is what CLIP has
  std::int64_t context_length = 77;
  std::int64_t vocabulary = 49408;

  template <class V>
  void visit(V& v) {
    v("WIDTH", width, {.help = "width of the text tower, a multiple of 64", .minimum = 64, .maximum = 8192});
    v("LAYERS", layers, {.help = "its blocks", .minimum = 1, .maximum = 256});
    v("HEADS", heads, {.help = "its heads: WIDTH / 64", .minimum = 0, .maximum = 128});
    v("CONTEXT_LENGTH", context_length,
      {.help = "tokens of a sentence, start and end included", .minimum = 8, .maximum = 4096});
    v("VOCAB_SIZE", vocabulary,
      {.help = "tokens of the vocabulary; CLIP's has 49408", .minimum = 2, .maximum = 1 << 20});
  }
};

struct ClipSizes {
  std::int64_t embed = 512; // of the space that both towers share
  ClipVisionSizes vision;
  ClipTextSizes text;

  template <class V>
  void visit(V& v) {
    v("EMBED_DIM", embed, {.help = "numbers of the shared space", .minimum = 1, .maximum = 8192});
    v.section("VISION", vision);
    v.section("TEXT", text);
  }
};

// Keys that the file does not give keep the sizes of ViT-B/16. Throws Error(config) with file:line.
ClipSizes load_clip_sizes(const std::filesystem::path& path);

} // namespace vlreid
