#include "vlreid/reid/geometry.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"
#include "vlreid/encoders/image_encoder.h"
#include "vlreid/weights/describe.h"

#include <cmath>

namespace vlreid {
namespace {

constexpr Grid kPersonImage{256, 128};
constexpr std::int64_t kResnetPatch = 16;       // pixels per cell of layer4 in ReID
constexpr std::int64_t kOverlappingStride = 12; // "OLP" of CLIP-ReID, the usual one of Multimodal-ReID

std::string text(Grid image, std::int64_t stride) {
  return std::to_string(image.height) + "x" + std::to_string(image.width) + " stride " +
         std::to_string(stride);
}

std::optional<std::int64_t> fitting_stride(Grid image, std::int64_t patch, std::int64_t patches) {
  for (const std::int64_t stride : {patch, kOverlappingStride})
    if (patch_grid(image, patch, stride).count() == patches) return stride;
  std::optional<std::int64_t> only;
  for (std::int64_t stride = 1; stride < patch; ++stride) {
    if (patch_grid(image, patch, stride).count() != patches) continue;
    if (only) return std::nullopt;
    only = stride;
  }
  return only;
}

Geometry from_table(std::int64_t rows, std::int64_t patch, std::optional<std::int64_t> stride,
                    const std::string& place) {
  std::vector<GridGuess> guesses = guess_grids(rows, patch);
  if (stride) std::erase_if(guesses, [&](const GridGuess& guess) { return guess.stride != *stride; });
  std::vector<std::string> found;
  for (const GridGuess& guess : guesses)
    found.push_back(text({guess.height, guess.width}, guess.stride));
  VLREID_REQUIRE(found.size() == 1, ErrorKind::config, place,
                 "a positional embedding of " + std::to_string(rows) + " rows, which fits " +
                     (found.empty() ? "no published input size" : join(found, ", ")),
                 "one input size", "give INPUT.SIZE_TEST and MODEL.STRIDE_SIZE of the training");
  return {.image = {guesses.front().height, guesses.front().width}, .stride = guesses.front().stride};
}

} // namespace

bool has_square_table(const StateDict& visual) {
  const at::Tensor* table = visual.find(position_table_name(visual));
  if (table == nullptr || table->dim() != 2) return false;
  const std::int64_t patches = table->size(0) - 1;
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(patches))));
  return side > 0 && side * side == patches;
}

Geometry infer_geometry(const StateDict& visual, const GeometryRequest& request, const std::string& place) {
  const std::string name = position_table_name(visual);
  VLREID_REQUIRE(!name.empty(), ErrorKind::data, place, "no positional embedding of an image encoder",
                 "weights of a CLIP");
  const std::int64_t rows = visual.at(name).size(0);
  const bool is_resnet = name != "positional_embedding";
  const std::int64_t patch = is_resnet ? kResnetPatch : visual.at("conv1.weight").size(-1);
  VLREID_REQUIRE(!request.stride || *request.stride >= 1, ErrorKind::config, "MODEL.STRIDE_SIZE",
                 "a stride below 1", "1 or more");
  if (request.is_plain)
    return {.image = request.image.value_or(kPersonImage), .stride = request.stride.value_or(patch)};
  if (!request.image) return from_table(rows, patch, is_resnet ? kResnetPatch : request.stride, place);
  if (is_resnet) return {.image = *request.image, .stride = kResnetPatch};
  const auto stride = request.stride ? request.stride : fitting_stride(*request.image, patch, rows - 1);
  VLREID_REQUIRE(stride.has_value(), ErrorKind::config, place,
                 "a positional embedding of " + std::to_string(rows) +
                     " rows, which no single stride gives for an input of " +
                     std::to_string(request.image->height) + "x" + std::to_string(request.image->width),
                 "the input size of the training",
                 "give INPUT.SIZE_TEST and MODEL.STRIDE_SIZE of the training");
  const std::int64_t expected = 1 + patch_grid(*request.image, patch, *stride).count();
  VLREID_REQUIRE(expected == rows, ErrorKind::config, place,
                 "a positional embedding of " + std::to_string(rows) + " rows",
                 std::to_string(expected) + " rows for an input of " + text(*request.image, *stride),
                 "give INPUT.SIZE_TEST and MODEL.STRIDE_SIZE of the training");
  return {.image = *request.image, .stride = *stride};
}

} // namespace vlreid
