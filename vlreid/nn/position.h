// Positional embeddings: the table [1 + P, D] of a checkpoint has a row for the class token and one per
// patch, row by row of a grid. A table for another image size is made by resizing the grid
// (spec/reference-behaviour.md, section 1).
#pragma once

#include <ATen/Tensor.h>
#include <cstdint>
#include <optional>

namespace vlreid {

struct Grid {
  std::int64_t height;
  std::int64_t width;
  std::int64_t count() const { return height * width; }
  friend bool operator==(const Grid&, const Grid&) = default;
};

// Patches of an image: (size - patch) / stride + 1 each way.
Grid patch_grid(Grid image, std::int64_t patch, std::int64_t stride);

// CLIP-ReID and FT resize bilinearly, Multimodal-ReID bicubically; neither aligns corners nor smooths.
enum class PositionResize { bilinear, bicubic };

// table [1 + g*g, D] -> [1 + to.count(), D]; the class row is kept. The old grid is square unless `from` says
// otherwise. An equal grid gives the table back unchanged. REQUIRES (else ErrorKind::data): a square number
// of patches without `from`.
at::Tensor resize_positions(const at::Tensor& table, Grid to, PositionResize kind,
                            std::optional<Grid> from = {});

// The other way: a table of any grid as the square that a plain CLIP has, its side the least common multiple
// of the grid's. Each row fills a whole block, so that resizing bilinearly to `from` gives the table back bit
// by bit.
at::Tensor square_positions(const at::Tensor& table, Grid from);

} // namespace vlreid
