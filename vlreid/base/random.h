// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): the values depend only on the key, so
// (seed, epoch, sample) gives the same numbers whatever thread asks, and in whatever order. Cheap to make;
// one object per item, not shared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>

namespace vlreid {

class Random {
public:
  // Up to three 64-bit words of key, e.g. {seed, epoch, sample}.
  explicit Random(std::initializer_list<std::uint64_t> key);

  std::uint32_t bits();
  // [0, 1), 53 bits.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  // An integer in [0, count), without bias. REQUIRES: count >= 1.
  std::uint64_t below(std::uint64_t count);
  bool chance(double probability) { return uniform() < probability; }
  // Standard normal (Box-Muller).
  double normal();

  // Fisher-Yates.
  template <typename Item>
  void shuffle(std::span<Item> items) {
    for (std::size_t left = items.size(); left > 1; --left)
      std::swap(items[left - 1], items[below(left)]);
  }

private:
  void refill();

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_{};
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
  bool has_spare_normal_ = false;
  double spare_normal_ = 0;
};

} // namespace vlreid
