#include "vlreid/base/random.h"

#include "vlreid/base/error.h"

#include <cmath>
#include <numbers>

namespace vlreid {
namespace {

// splitmix64's finaliser: spreads nearby keys.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}
constexpr std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}

} // namespace

Random::Random(std::initializer_list<std::uint64_t> key) {
  VLREID_ASSERT(key.size() <= 3);
  std::uint64_t folded = 0, second = 0;
  for (const std::uint64_t word : key) {
    second = mix(second ^ mix(folded));
    folded = mix(folded ^ mix(word));
  }
  key_ = {low(folded), high(folded)};
  counter_ = {0, 0, low(second), high(second)};
}

void Random::refill() {
  std::array<std::uint32_t, 4> c = counter_;
  std::array<std::uint32_t, 2> k = key_;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {high(p1) ^ c[1] ^ k[0], low(p1), high(p0) ^ c[3] ^ k[1], low(p0)};
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  block_ = c;
  used_ = 0;
  if (++counter_[0] == 0) ++counter_[1];
}

std::uint32_t Random::bits() {
  if (used_ == 4) refill();
  return block_[static_cast<std::size_t>(used_++)];
}

double Random::uniform() {
  const std::uint64_t a = bits() >> 5, b = bits() >> 6;
  return static_cast<double>((a << 26) | b) * 0x1p-53;
}

std::uint64_t Random::below(std::uint64_t count) {
  VLREID_ASSERT(count >= 1);
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % count;
  while (true) {
    const std::uint64_t x = (std::uint64_t{bits()} << 32) | bits();
    if (x < limit) return x % count;
  }
}

double Random::normal() {
  if (has_spare_normal_) {
    has_spare_normal_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  const double angle = 2.0 * std::numbers::pi * uniform();
  has_spare_normal_ = true;
  spare_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

} // namespace vlreid
