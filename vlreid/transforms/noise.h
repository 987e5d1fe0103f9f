// Inside of random erasing: standard normal numbers in bulk. Counter-based like base/random.h, eight counters
// side by side, so that a rectangle of some ten thousand values costs microseconds. The values follow from
// the key alone and are the same with AVX2 and without. Thread safe.
#pragma once

#include <cstdint>
#include <span>

namespace vlreid {

void fill_normal(std::uint64_t key, std::span<float> out);

namespace internal {
void fill_normal_plain(std::uint64_t key, std::span<float> out); // for tests of equality
}

} // namespace vlreid
