#include "vlreid/transforms/pixel_row.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <fmt/format.h>

namespace vlreid {
namespace {

constexpr int kMaxSide = 8192;

} // namespace

PixelTable make_pixel_table(const std::array<float, 3>& mean, const std::array<float, 3>& std) {
  PixelTable table;
  for (std::size_t c = 0; c < table.size(); ++c)
    for (std::size_t value = 0; value < table[c].size(); ++value)
      table[c][value] = (static_cast<float>(value) / 255.0f - mean[c]) / std[c];
  return table;
}

void check_pixel_options(const char* size_key, int height, int width, const std::array<float, 3>& std) {
  const auto [smallest, largest] = std::minmax(height, width);
  VLREID_REQUIRE(smallest >= 1 && largest <= kMaxSide, ErrorKind::config, size_key,
                 fmt::format("[{}, {}]", height, width), fmt::format("height and width in 1..{}", kMaxSide),
                 "set the size that the model was trained on");
  VLREID_REQUIRE(std::ranges::all_of(std, [](float x) { return x > 0; }), ErrorKind::config,
                 "INPUT.PIXEL_STD", fmt::format("[{}]", fmt::join(std, ", ")), "three numbers above 0",
                 "0.5 suits ViT models");
}

void write_pixel_row(const PixelTable& table, const std::uint8_t* row, int width, Direction direction,
                     std::size_t plane, float* out) {
  float* red = out;
  float* green = out + plane;
  float* blue = out + 2 * plane;
  const int step = direction == Direction::forward ? 3 : -3;
  if (direction == Direction::reversed) row += 3 * (width - 1);
  for (int x = 0; x < width; ++x, row += step) {
    red[x] = table[0][row[0]];
    green[x] = table[1][row[1]];
    blue[x] = table[2][row[2]];
  }
}

} // namespace vlreid
