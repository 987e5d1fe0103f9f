// A made pedestrian: everything about the person that stays the same from camera to camera, as one type. The
// pictures (body.h), the sentences (captions.h) and the attribute table (attributes.h) are all derived from
// it.
#pragma once

#include "vlreid/synth/geometry.h"
#include "vlreid/synth/options.h"

#include <string_view>
#include <vector>

namespace vlreid {

enum class Gender { male, female };
enum class Age { young, teenager, adult, old };
enum class HairStyle { bald, cropped, short_hair, bob, long_loose, ponytail, bun };
enum class HairColour { black, brown, blond, grey, red };
enum class HatKind { none, cap, beanie, sun_hat };
enum class UpperKind { t_shirt, polo, shirt, sweater, hoodie, jacket, coat };
enum class UpperPattern {
  plain,
  stripes,
  thick_stripes,
  pinstripes,
  checks,
  dots,
  logo,
  big_print,
  two_tone,
  side_panels
};
enum class LowerKind { trousers, jeans, shorts, skirt, dress };
enum class LowerPattern { plain, side_stripe, checks, dots };
enum class Side { left, right }; // of the person

// The colours of Market-1501's table: the upper body knows the first eight in another order, the lower body
// nine of them.
enum class ClothColour { black, white, red, purple, yellow, gray, blue, green, pink, brown };
std::string_view name_of(ClothColour colour);
std::string_view name_of(HairColour colour);

// A colour word and the very shade that this person wears.
struct Cloth {
  ClothColour name = ClothColour::gray;
  Vec3 rgb; // linear
};

struct Bag {
  bool is_worn = false;
  Cloth cloth;
  Side side = Side::left;
  float size = 1; // of the usual size
};

struct PersonLook {
  Gender gender = Gender::male;
  Age age = Age::adult;
  float height = 1.75f; // metres
  float build = 1;      // girth as a share of the usual
  Vec3 skin;
  HairStyle hair = HairStyle::short_hair;
  HairColour hair_colour = HairColour::black;
  Vec3 hair_rgb;
  bool has_glasses = false, has_beard = false, has_scarf = false;
  Cloth scarf;
  HatKind hat = HatKind::none;
  Cloth hat_cloth;

  UpperKind upper = UpperKind::t_shirt;
  bool has_long_sleeves = false;
  bool is_open = false; // a jacket or coat worn open over `inner`
  Cloth upper_cloth, upper_second, inner;
  UpperPattern upper_pattern = UpperPattern::plain;
  float pattern_scale = 1, pattern_shift = 0;

  LowerKind lower = LowerKind::trousers; // a dress takes the upper cloth and pattern
  Cloth lower_cloth, lower_second;
  LowerPattern lower_pattern = LowerPattern::plain;
  Cloth shoes;
  bool has_boots = false;

  Bag backpack, shoulder_bag, handbag;

  bool has_long_hair() const { return hair >= HairStyle::bob; }
  bool wears_dress() const { return lower == LowerKind::dress; }
  bool has_long_lower() const { return lower == LowerKind::trousers || lower == LowerKind::jeans; }
};

// In how many of the attributes that a viewer can name two people differ (clothes colours not counted).
int count_differences(const PersonLook& left, const PersonLook& right);

// `count` different people. They come in groups of kPeopleOfAKind who wear nearly the same colours and differ
// in at least three other attributes, so colour alone does not tell them apart. `part` keeps train, test and
// bystanders apart.
inline constexpr int kPeopleOfAKind = 4;
std::vector<PersonLook> make_people(std::uint64_t seed, SynthDomain domain, std::uint64_t part, int count);

} // namespace vlreid
