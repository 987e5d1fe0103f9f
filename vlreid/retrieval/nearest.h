// The k nearest of a stream of (distance, index) pairs, in bounded memory: pairs pile up in a buffer a few
// times as large as k and are thinned out when it is full. Pairs are packed into integers whose order is the
// ranking (ranking.h), so the result does not depend on the order in which they come. Not thread safe.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>

namespace vlreid {

// Distance in the upper half, mapped to an integer of the same order (-0 as 0); index in the lower. REQUIRES:
// not NaN.
using RankKey = std::uint64_t;

inline RankKey rank_key(float distance, std::uint32_t index) {
  const auto bits = std::bit_cast<std::uint32_t>(distance + 0.0F);
  const std::uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x8000'0000U;
  return (RankKey{ordered} << 32) | index;
}

inline std::uint32_t key_index(RankKey key) {
  return static_cast<std::uint32_t>(key);
}

inline float key_distance(RankKey key) {
  const auto ordered = static_cast<std::uint32_t>(key >> 32);
  return std::bit_cast<float>((ordered >> 31) != 0 ? ordered & 0x7FFF'FFFFU : ~ordered);
}

class Nearest {
public:
  Nearest() = default;
  // `buffer` holds more than k keys and is somebody else's; a few times k is a good size. REQUIRES: k >= 1.
  Nearest(std::span<RankKey> buffer, std::int64_t k) : buffer_(buffer), k_(k) {}

  // Distances above it cannot be among the nearest any more.
  float limit() const { return limit_; }

  void add(float distance, std::uint32_t index) {
    buffer_[size_++] = rank_key(distance, index);
    if (size_ == static_cast<std::int64_t>(buffer_.size())) thin_out();
  }

  // Nearest first; at most k. Nothing may be added after.
  std::span<const RankKey> sorted() {
    if (size_ > k_) thin_out();
    std::sort(buffer_.begin(), buffer_.begin() + size_);
    return buffer_.first(size_);
  }

private:
  void thin_out() {
    std::nth_element(buffer_.begin(), buffer_.begin() + (k_ - 1), buffer_.begin() + size_);
    size_ = k_;
    limit_ = key_distance(buffer_[k_ - 1]);
  }

  std::span<RankKey> buffer_;
  std::int64_t k_ = 0;
  std::int64_t size_ = 0;
  float limit_ = std::numeric_limits<float>::infinity();
};

} // namespace vlreid
