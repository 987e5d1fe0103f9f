// Input size and stride of a weights file: what the tensors fix, what the options say, and an error when that
// leaves a choice.
#pragma once

#include "vlreid/nn/position.h"
#include "vlreid/weights/state_dict.h"

#include <optional>
#include <string>

namespace vlreid {

struct Geometry {
  Grid image;          // pixels
  std::int64_t stride; // of a ViT's patches; 16 for a ResNet, whose last map is as fine
};

struct GeometryRequest {
  std::optional<Grid> image;
  std::optional<std::int64_t> stride;
  // Plain CLIP: its square table is resized to any input, so the options decide alone (256x128 unless they
  // say otherwise).
  bool is_plain = false;
};

// Whether the positional embedding is that of a square grid, as plain CLIP has it, which is resized to any
// input; another was made for one input size. `visual`: names below the image tower.
bool has_square_table(const StateDict& visual);

// `visual` as above.
Geometry infer_geometry(const StateDict& visual, const GeometryRequest& request, const std::string& place);

} // namespace vlreid
