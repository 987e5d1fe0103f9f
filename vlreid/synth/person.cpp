#include "vlreid/synth/person.h"

#include "vlreid/synth/palette.h"

#include <array>
#include <limits>

namespace vlreid {

std::string_view name_of(ClothColour colour) {
  static constexpr std::array<std::string_view, 10> kNames{"black", "white", "red",   "purple", "yellow",
                                                           "gray",  "blue",  "green", "pink",   "brown"};
  return kNames[static_cast<std::size_t>(colour)];
}

std::string_view name_of(HairColour colour) {
  static constexpr std::array<std::string_view, 5> kNames{"black", "brown", "blond", "grey", "red"};
  return kNames[static_cast<std::size_t>(colour)];
}

namespace {

// The weights below are those of a campus in summer (a) and a station in winter (b), by eye.

ClothColour any_upper_colour(Random& random, SynthDomain domain) {
  using enum ClothColour;
  static constexpr Weighted<ClothColour> kSummer[] = {{white, 5}, {black, 4},  {gray, 3},  {blue, 4},
                                                      {red, 3},   {yellow, 2}, {green, 3}, {purple, 2}};
  static constexpr Weighted<ClothColour> kWinter[] = {{black, 8}, {gray, 5},  {blue, 4},   {white, 2},
                                                      {red, 2},   {green, 2}, {purple, 1}, {yellow, 1}};
  return domain == SynthDomain::a ? choose(random, kSummer) : choose(random, kWinter);
}

ClothColour any_lower_colour(Random& random, SynthDomain domain) {
  using enum ClothColour;
  static constexpr Weighted<ClothColour> kSummer[] = {{black, 5}, {blue, 6},   {gray, 3},
                                                      {white, 2}, {brown, 2},  {pink, 1},
                                                      {green, 1}, {yellow, 1}, {purple, 1}};
  static constexpr Weighted<ClothColour> kWinter[] = {{black, 8}, {blue, 6},  {gray, 4},
                                                      {brown, 3}, {green, 1}, {white, 1}};
  return domain == SynthDomain::a ? choose(random, kSummer) : choose(random, kWinter);
}

ClothColour any_colour(Random& random) {
  return static_cast<ClothColour>(random.below(10));
}

Cloth other_cloth(ClothColour than, Random& random) {
  ClothColour name = any_colour(random);
  while (name == than)
    name = any_colour(random);
  return make_cloth(name, random);
}

// What the people of one group share.
struct GroupColours {
  Cloth upper, lower, second;
};

class PersonMaker {
public:
  PersonMaker(Random& random, SynthDomain domain, const GroupColours& colours)
      : random_(random), domain_(domain), colours_(colours) {}

  PersonLook make() {
    choose_body();
    choose_head();
    choose_upper();
    choose_lower();
    choose_bags();
    return look_;
  }

private:
  float real(double low, double high) { return static_cast<float>(random_.uniform(low, high)); }
  bool is_female() const { return look_.gender == Gender::female; }
  bool is_winter() const { return domain_ == SynthDomain::b; }

  void choose_body() {
    look_.gender = random_.chance(0.5) ? Gender::male : Gender::female;
    static constexpr Weighted<Age> kAges[] = {
        {Age::young, 4}, {Age::teenager, 20}, {Age::adult, 62}, {Age::old, 14}};
    look_.age = choose(random_, kAges);
    look_.height = (is_female() ? 1.65f : 1.77f) + static_cast<float>(random_.normal()) * 0.06f;
    if (look_.age == Age::young) look_.height *= 0.8f;
    if (look_.age == Age::teenager) look_.height *= 0.95f;
    look_.build = std::clamp(1.0f + static_cast<float>(random_.normal()) * 0.12f, 0.8f, 1.4f);
    look_.skin =
        mix(from_srgb(0xf2cfb4), from_srgb(0x6a4028), random_.chance(0.75) ? real(0, 0.3) : real(0.4, 1));
  }

  void choose_head() {
    using enum HairStyle;
    static constexpr Weighted<HairStyle> kMale[] = {
        {bald, 1}, {cropped, 4}, {short_hair, 9}, {long_loose, 0.5}, {ponytail, 0.5}};
    static constexpr Weighted<HairStyle> kFemale[] = {
        {short_hair, 2}, {bob, 3}, {long_loose, 5}, {ponytail, 4}, {bun, 2}};
    look_.hair = is_female() ? choose(random_, kFemale) : choose(random_, kMale);
    static constexpr Weighted<HairColour> kColours[] = {
        {HairColour::black, 5}, {HairColour::brown, 5}, {HairColour::blond, 3}, {HairColour::red, 1}};
    look_.hair_colour = look_.age == Age::old ? HairColour::grey : choose(random_, kColours);
    static constexpr std::array<std::uint32_t, 5> kHair{0x17130f, 0x50341f, 0xc09a5a, 0xa8a8a6, 0x8c3c18};
    look_.hair_rgb = from_srgb(kHair[static_cast<std::size_t>(look_.hair_colour)]) * real(0.8, 1.25);
    look_.has_glasses = random_.chance(0.25);
    look_.has_beard = !is_female() && look_.age >= Age::adult && random_.chance(0.35);
    static constexpr Weighted<HatKind> kSummer[] = {
        {HatKind::none, 78}, {HatKind::cap, 14}, {HatKind::sun_hat, 8}};
    static constexpr Weighted<HatKind> kWinter[] = {
        {HatKind::none, 66}, {HatKind::cap, 8}, {HatKind::beanie, 26}};
    look_.hat = is_winter() ? choose(random_, kWinter) : choose(random_, kSummer);
    look_.hat_cloth = make_accessory(random_);
    look_.has_scarf = is_winter() && random_.chance(0.3);
    look_.scarf = make_cloth(any_colour(random_), random_);
  }

  void choose_upper() {
    using enum UpperKind;
    static constexpr Weighted<UpperKind> kSummer[] = {{t_shirt, 36}, {polo, 14},   {shirt, 20},
                                                      {sweater, 10}, {hoodie, 10}, {jacket, 10}};
    static constexpr Weighted<UpperKind> kWinter[] = {
        {shirt, 6}, {sweater, 18}, {hoodie, 18}, {jacket, 30}, {coat, 28}};
    look_.upper = is_winter() ? choose(random_, kWinter) : choose(random_, kSummer);
    look_.has_long_sleeves = look_.upper >= sweater || (look_.upper == shirt && random_.chance(0.6));
    look_.is_open = look_.upper >= jacket && random_.chance(0.4);
    look_.upper_cloth = nearly(colours_.upper, random_);
    look_.upper_second =
        random_.chance(0.5) ? nearly(colours_.second, random_) : other_cloth(colours_.upper.name, random_);
    look_.inner = other_cloth(colours_.upper.name, random_);
    using P = UpperPattern;
    static constexpr Weighted<P> kPatterns[] = {
        {P::plain, 26}, {P::stripes, 12}, {P::thick_stripes, 8}, {P::pinstripes, 6}, {P::checks, 10},
        {P::dots, 5},   {P::logo, 8},     {P::big_print, 16},    {P::two_tone, 8},   {P::side_panels, 7}};
    look_.upper_pattern = choose(random_, kPatterns);
    if (look_.upper == coat && random_.chance(0.7)) look_.upper_pattern = P::plain;
    look_.pattern_scale = real(0.8, 1.25);
    look_.pattern_shift = real(0, 1);
  }

  void choose_lower() {
    using enum LowerKind;
    static constexpr Weighted<LowerKind> kSummerMale[] = {{trousers, 35}, {jeans, 30}, {shorts, 35}};
    static constexpr Weighted<LowerKind> kSummerFemale[] = {
        {trousers, 20}, {jeans, 25}, {shorts, 20}, {skirt, 20}, {dress, 15}};
    static constexpr Weighted<LowerKind> kWinterMale[] = {{trousers, 55}, {jeans, 43}, {shorts, 2}};
    static constexpr Weighted<LowerKind> kWinterFemale[] = {
        {trousers, 42}, {jeans, 38}, {skirt, 16}, {dress, 4}};
    if (is_winter())
      look_.lower = is_female() ? choose(random_, kWinterFemale) : choose(random_, kWinterMale);
    else
      look_.lower = is_female() ? choose(random_, kSummerFemale) : choose(random_, kSummerMale);
    // A dress is worn alone.
    if (look_.wears_dress() && look_.upper != UpperKind::t_shirt && look_.upper != UpperKind::shirt)
      look_.upper = UpperKind::shirt, look_.has_long_sleeves = is_winter(), look_.is_open = false;
    look_.lower_cloth = look_.wears_dress() ? look_.upper_cloth : nearly(colours_.lower, random_);
    look_.lower_second = other_cloth(look_.lower_cloth.name, random_);
    static constexpr Weighted<LowerPattern> kPatterns[] = {{LowerPattern::plain, 70},
                                                           {LowerPattern::side_stripe, 16},
                                                           {LowerPattern::checks, 8},
                                                           {LowerPattern::dots, 6}};
    look_.lower_pattern = choose(random_, kPatterns);
    const bool is_skirt = look_.lower == skirt || look_.wears_dress();
    if (look_.lower == jeans || (is_skirt && look_.lower_pattern == LowerPattern::side_stripe))
      look_.lower_pattern = LowerPattern::plain;
    look_.shoes = make_accessory(random_);
    look_.has_boots = random_.chance(is_winter() ? 0.35 : 0.08) && !look_.has_long_lower();
  }

  void choose_bags() {
    look_.backpack.is_worn = random_.chance(0.3);
    look_.shoulder_bag.is_worn = !look_.backpack.is_worn && random_.chance(0.32);
    look_.handbag.is_worn = random_.chance(is_female() ? 0.3 : 0.12);
    for (Bag* bag : {&look_.backpack, &look_.shoulder_bag, &look_.handbag}) {
      bag->cloth = make_accessory(random_);
      bag->side = random_.chance(0.5) ? Side::left : Side::right;
      bag->size = real(0.85, 1.15);
    }
  }

  Random& random_;
  SynthDomain domain_;
  const GroupColours& colours_;
  PersonLook look_;
};

// The person of `tries` that differs most from those already in the group, or the first that differs enough.
PersonLook make_distinct(Random& random, SynthDomain domain, const GroupColours& colours,
                         std::span<const PersonLook> group) {
  constexpr int kEnough = 3, kTries = 60;
  PersonLook best;
  int best_difference = -1;
  for (int attempt = 0; attempt < kTries && best_difference < kEnough; ++attempt) {
    const PersonLook look = PersonMaker(random, domain, colours).make();
    int difference = std::numeric_limits<int>::max();
    for (const PersonLook& other : group)
      difference = std::min(difference, count_differences(look, other));
    if (difference > best_difference) best_difference = difference, best = look;
  }
  return best;
}

} // namespace

int count_differences(const PersonLook& a, const PersonLook& b) {
  return (a.gender != b.gender) + (a.has_long_hair() != b.has_long_hair()) +
         (a.hair_colour != b.hair_colour) + (a.hat != b.hat) + (a.has_long_sleeves != b.has_long_sleeves) +
         (a.upper_pattern != b.upper_pattern) + (a.is_open != b.is_open) + (a.lower != b.lower) +
         (a.backpack.is_worn != b.backpack.is_worn) + (a.shoulder_bag.is_worn != b.shoulder_bag.is_worn) +
         (a.handbag.is_worn != b.handbag.is_worn) + (a.has_scarf != b.has_scarf);
}

std::vector<PersonLook> make_people(std::uint64_t seed, SynthDomain domain, std::uint64_t part, int count) {
  std::vector<PersonLook> people;
  for (std::uint64_t group = 0; static_cast<int>(people.size()) < count; ++group) {
    Random random({seed, (part << 32) | group, static_cast<std::uint64_t>(domain)});
    GroupColours colours;
    colours.upper = make_cloth(any_upper_colour(random, domain), random);
    colours.lower = make_cloth(any_lower_colour(random, domain), random);
    colours.second = other_cloth(colours.upper.name, random);
    const std::size_t first = people.size();
    for (int member = 0; member < kPeopleOfAKind && static_cast<int>(people.size()) < count; ++member)
      people.push_back(make_distinct(random, domain, colours, std::span(people).subspan(first)));
  }
  return people;
}

} // namespace vlreid
