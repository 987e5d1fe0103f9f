// Colours as people name them, and the shades that made people and vehicles wear. All linear RGB.
#pragma once

#include "vlreid/base/random.h"
#include "vlreid/synth/person.h"

#include <cstdint>
#include <span>

namespace vlreid {

// From the bytes of an sRGB picture (0xRRGGBB).
Vec3 from_srgb(std::uint32_t hex);
// 0..1 linear to 0..1 as stored in a picture.
float to_srgb(float linear);

// A random shade that people would call `name`.
Cloth make_cloth(ClothColour name, Random& random);
// Of bags, shoes and hats: mostly dark and neutral.
Cloth make_accessory(Random& random);
// The same cloth from another maker: a barely visible difference.
Cloth nearly(const Cloth& cloth, Random& random);

// A value of the list with the probability of its weight.
template <typename Value>
struct Weighted {
  Value value;
  double weight;
};
template <typename Value>
Value choose(Random& random, std::span<const Weighted<Value>> list) {
  double total = 0;
  for (const auto& entry : list)
    total += entry.weight;
  double left = random.uniform() * total;
  for (const auto& entry : list)
    if ((left -= entry.weight) < 0) return entry.value;
  return list.back().value;
}
template <typename Value, std::size_t count>
Value choose(Random& random, const Weighted<Value> (&list)[count]) {
  return choose(random, std::span<const Weighted<Value>>(list));
}

} // namespace vlreid
