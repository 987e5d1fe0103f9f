#include "vlreid/synth/canvas.h"

namespace vlreid {

Canvas shrink(const Canvas& canvas, int factor) {
  Canvas small(canvas.height / factor, canvas.width / factor);
  const float share = 1.0f / static_cast<float>(factor * factor);
  for (int y = 0; y < small.height; ++y)
    for (int x = 0; x < small.width; ++x) {
      Vec3 sum;
      for (int dy = 0; dy < factor; ++dy)
        for (int dx = 0; dx < factor; ++dx)
          sum = sum + canvas.at(y * factor + dy, x * factor + dx);
      small.at(y, x) = sum * share;
    }
  return small;
}

namespace {

// Weights of offsets 0..radius, normalised over both sides.
std::vector<float> gaussian(float standard_deviation) {
  const int radius = std::max(1, static_cast<int>(std::ceil(2.5f * standard_deviation)));
  std::vector<float> weights(static_cast<std::size_t>(radius) + 1);
  float total = 0;
  for (int i = 0; i <= radius; ++i) {
    const float t = static_cast<float>(i) / standard_deviation;
    weights[i] = std::exp(-0.5f * t * t);
    total += i == 0 ? weights[i] : 2 * weights[i];
  }
  for (float& weight : weights)
    weight /= total;
  return weights;
}

// One line of `count` pixels that lie `stride` apart.
void blur_line(Vec3* line, int count, int stride, const std::vector<float>& weights,
               std::vector<Vec3>& scratch) {
  scratch.resize(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    scratch[i] = line[static_cast<std::size_t>(i) * stride];
  const int radius = static_cast<int>(weights.size()) - 1;
  for (int i = 0; i < count; ++i) {
    Vec3 sum = scratch[i] * weights[0];
    for (int k = 1; k <= radius; ++k)
      sum = sum + (scratch[std::max(i - k, 0)] + scratch[std::min(i + k, count - 1)]) * weights[k];
    line[static_cast<std::size_t>(i) * stride] = sum;
  }
}

std::uint32_t hash(std::uint32_t x, std::uint32_t y, std::uint64_t seed) {
  std::uint64_t h = seed ^ (static_cast<std::uint64_t>(x) * 0x9E3779B97F4A7C15u);
  h = (h ^ (h >> 29) ^ y) * 0xBF58476D1CE4E5B9u;
  h = (h ^ (h >> 32)) * 0x94D049BB133111EBu;
  return static_cast<std::uint32_t>(h >> 32);
}

} // namespace

void blur(Canvas& canvas, float standard_deviation) {
  if (standard_deviation < 0.1f) return;
  const auto weights = gaussian(standard_deviation);
  std::vector<Vec3> scratch;
  for (int y = 0; y < canvas.height; ++y)
    blur_line(&canvas.at(y, 0), canvas.width, 1, weights, scratch);
  for (int x = 0; x < canvas.width; ++x)
    blur_line(&canvas.at(0, x), canvas.height, canvas.width, weights, scratch);
}

float cell_value(int x, int y, std::uint64_t seed) {
  return static_cast<float>(hash(static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), seed) >> 8) *
         0x1p-24f;
}

float smooth_noise(float x, float y, std::uint64_t seed) {
  const float left = std::floor(x), top = std::floor(y);
  const int column = static_cast<int>(left), row = static_cast<int>(top);
  const float u = x - left, v = y - top;
  const float su = u * u * (3 - 2 * u), sv = v * v * (3 - 2 * v);
  return mix(mix(cell_value(column, row, seed), cell_value(column + 1, row, seed), su),
             mix(cell_value(column, row + 1, seed), cell_value(column + 1, row + 1, seed), su), sv);
}

float fractal_noise(float x, float y, int octaves, std::uint64_t seed) {
  float sum = 0, weight = 1, total = 0;
  for (int octave = 0; octave < octaves; ++octave) {
    sum += weight * smooth_noise(x, y, seed + static_cast<std::uint64_t>(octave));
    total += weight;
    x *= 2, y *= 2, weight *= 0.5f;
  }
  return sum / total;
}

} // namespace vlreid
