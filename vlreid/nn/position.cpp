#include "vlreid/nn/position.h"

#include "vlreid/base/error.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <cmath>
#include <numeric>

namespace vlreid {
namespace {

Grid square_grid(std::int64_t patches) {
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(patches))));
  VLREID_REQUIRE(side > 0 && side * side == patches, ErrorKind::data, "positional_embedding",
                 "a table for " + std::to_string(patches) + " patches",
                 "a square grid, as CLIP's pretraining has",
                 "give the height, width and stride that the table was made for");
  return {side, side};
}

at::Tensor resized(const at::Tensor& image, Grid to, PositionResize kind) {
  if (kind == PositionResize::bicubic) return at::upsample_bicubic2d(image, {to.height, to.width}, false);
  return at::upsample_bilinear2d(image, {to.height, to.width}, false);
}

} // namespace

Grid patch_grid(Grid image, std::int64_t patch, std::int64_t stride) {
  VLREID_REQUIRE(patch >= 1 && stride >= 1 && image.height >= patch && image.width >= patch,
                 ErrorKind::config, "image size",
                 std::to_string(image.height) + "x" + std::to_string(image.width) + " with stride " +
                     std::to_string(stride),
                 "a stride of at least 1 and a size of at least one patch of " + std::to_string(patch) +
                     " pixels");
  return {(image.height - patch) / stride + 1, (image.width - patch) / stride + 1};
}

at::Tensor resize_positions(const at::Tensor& table, Grid to, PositionResize kind, std::optional<Grid> from) {
  const std::int64_t width = table.size(1);
  const Grid old = from ? *from : square_grid(table.size(0) - 1);
  if (old == to) return table;
  const at::Tensor patches = table.slice(0, 1).to(at::kFloat);
  const at::Tensor image =
      patches.view({1, old.height, old.width, width}).permute({0, 3, 1, 2}); // [1, D, h, w]
  const at::Tensor rows = resized(image, to, kind).permute({0, 2, 3, 1}).reshape({to.count(), width});
  return at::cat({table.slice(0, 0, 1).to(at::kFloat), rows});
}

at::Tensor square_positions(const at::Tensor& table, Grid from) {
  const std::int64_t side = std::lcm(from.height, from.width), width = table.size(1);
  const at::Tensor rows = table.slice(0, 1)
                              .view({from.height, 1, from.width, 1, width})
                              .expand({from.height, side / from.height, from.width, side / from.width, width})
                              .reshape({side * side, width});
  return at::cat({table.slice(0, 0, 1), rows});
}

} // namespace vlreid
