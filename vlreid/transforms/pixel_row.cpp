#include "vlreid/transforms/pixel_row.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace vlreid {
namespace {

constexpr int kMaxSide = 8192;

// x / divisor from its reciprocal, corrected by what is left over (Markstein, "Computation of elementary
// functions on the IBM RISC System/6000 processor", 1990): right but for rare cases, which are looked for.
float divided(float x, float divisor) {
  const float reciprocal = 1.0F / divisor, quotient = x * reciprocal;
  return std::fma(std::fma(-quotient, divisor, x), reciprocal, quotient);
}

bool is_computed_exactly(const PixelTable& table) {
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t value = 0; value < 256; ++value) {
      const float share = divided(static_cast<float>(value), 255.0F);
      if (divided(share - table.mean[c], table.std[c]) != table.values[c][value]) return false;
    }
  return true;
}

void write_looked_up(const PixelTable& table, const std::uint8_t* row, int width, Direction direction,
                     std::size_t plane, float* out) {
  const int step = direction == Direction::forward ? 3 : -3;
  if (direction == Direction::reversed) row += 3 * (width - 1);
  for (int x = 0; x < width; ++x, row += step)
    for (std::size_t c = 0; c < 3; ++c)
      out[c * plane + x] = table.values[c][row[c]];
}

#if defined(__x86_64__)
#define VLREID_AVX2 __attribute__((target("avx2,fma")))

constexpr int kPixelsAtOnce = 8;

VLREID_AVX2 inline __m256 divided(__m256 x, float divisor) {
  const __m256 all = _mm256_set1_ps(divisor), reciprocal = _mm256_set1_ps(1.0F / divisor);
  const __m256 quotient = _mm256_mul_ps(x, reciprocal);
  return _mm256_fmadd_ps(_mm256_fnmadd_ps(quotient, all, x), reciprocal, quotient);
}

// Picks the bytes of one channel, as 32-bit numbers, from 16 bytes of pixels 0 to 3 in lane 0 and those that
// end with pixel 7 in lane 1; the other way round if reversed.
struct alignas(32) ByteOrder {
  std::array<std::int8_t, 32> from;
};

constexpr ByteOrder channel_order(int channel, Direction direction) {
  ByteOrder order{};
  order.from.fill(-1); // zero
  for (int pixel = 0; pixel < kPixelsAtOnce; ++pixel) {
    const int place = 3 * pixel + channel - (pixel < 4 ? 0 : 8);
    const int number = direction == Direction::forward ? pixel : kPixelsAtOnce - 1 - pixel;
    order.from[4 * number] = static_cast<std::int8_t>(place);
  }
  return order;
}

constexpr ByteOrder kOrders[2][3] = {
    {channel_order(0, Direction::forward), channel_order(1, Direction::forward),
     channel_order(2, Direction::forward)},
    {channel_order(0, Direction::reversed), channel_order(1, Direction::reversed),
     channel_order(2, Direction::reversed)}};

// As many pixels as are whole vectors; gives their number.
VLREID_AVX2 int write_computed(const PixelTable& table, const std::uint8_t* row, int width,
                               Direction direction, std::size_t plane, float* out) {
  const bool is_forward = direction == Direction::forward;
  const int whole = width / kPixelsAtOnce * kPixelsAtOnce;
  __m256i orders[3];
  for (int c = 0; c < 3; ++c)
    orders[c] = _mm256_load_si256(reinterpret_cast<const __m256i*>(&kOrders[is_forward ? 0 : 1][c]));
  for (int x = 0; x < whole; x += kPixelsAtOnce) {
    const std::uint8_t* pixels = row + 3 * (is_forward ? x : width - kPixelsAtOnce - x);
    const auto half = [&](bool is_first) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels + (is_first ? 0 : 8)));
    };
    const __m256i bytes = _mm256_set_m128i(half(!is_forward), half(is_forward));
#pragma GCC unroll 3
    for (int c = 0; c < 3; ++c) {
      const __m256 value = _mm256_cvtepi32_ps(_mm256_shuffle_epi8(bytes, orders[c]));
      const __m256 centred = _mm256_sub_ps(divided(value, 255.0F), _mm256_set1_ps(table.mean[c]));
      _mm256_storeu_ps(out + c * plane + x, divided(centred, table.std[c]));
    }
  }
  return whole;
}

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}
#else
int write_computed(const PixelTable&, const std::uint8_t*, int, Direction, std::size_t, float*) {
  return 0;
}

bool has_avx2() {
  return false;
}
#endif

} // namespace

PixelTable make_pixel_table(const std::array<float, 3>& mean, const std::array<float, 3>& std) {
  PixelTable table{.values = {}, .mean = mean, .std = std};
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t value = 0; value < 256; ++value)
      table.values[c][value] = (static_cast<float>(value) / 255.0F - mean[c]) / std[c];
  table.is_computed_exactly = is_computed_exactly(table);
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
  int done = 0;
  if (table.is_computed_exactly && has_avx2())
    done = write_computed(table, row, width, direction, plane, out);
  if (direction == Direction::forward) row += std::ptrdiff_t{3} * done;
  write_looked_up(table, row, width - done, direction, plane, out + done);
}

} // namespace vlreid
