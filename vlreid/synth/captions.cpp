#include "vlreid/synth/captions.h"

#include <array>
#include <cctype>
#include <fmt/format.h>
#include <initializer_list>

namespace vlreid {
namespace {

enum class Facing { front, side, back };

Facing facing_of(float yaw) {
  const float forward = std::cos(yaw);
  return forward > 0.5f ? Facing::front : forward < -0.5f ? Facing::back : Facing::side;
}

std::string one_of(Random& random, std::initializer_list<std::string_view> words) {
  return std::string(words.begin()[random.below(words.size())]);
}

std::string with_article(const std::string& noun) {
  const bool is_vowel = !noun.empty() && std::string_view("aeiou").find(noun[0]) != std::string_view::npos;
  return (is_vowel ? "an " : "a ") + noun;
}

std::string capitalised(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

// "a, b and c"
std::string enumerate(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

class Describer {
public:
  Describer(const PersonLook& look, float yaw, Random& random)
      : look_(look), facing_(facing_of(yaw)), random_(random) {}

  std::string sentence() {
    switch (random_.below(4)) {
    case 0:
      return fmt::format("{} {} {} and {}.{}", capitalised(with_article(person_with_hair())), wears(),
                         upper(), lower(), extras());
    case 1:
      return fmt::format("{}, {} {} {} with {}.{}", capitalised(view()), with_article(person_with_hair()),
                         wears(), upper(), lower(), extras());
    case 2:
      return fmt::format("The {} has {} and {} {}, {} and {}.{}", person(), hair(), wears(), upper(), lower(),
                         shoes(), extras());
    default:
      return fmt::format("{} in {} and {}, {}.{}", capitalised(with_article(person())), upper(), lower(),
                         walking(), extras());
    }
  }

private:
  bool is_male() const { return look_.gender == Gender::male; }
  std::string pronoun() const { return is_male() ? "he" : "she"; }

  std::string person() {
    switch (look_.age) {
    case Age::young:
      return is_male() ? "boy" : "girl";
    case Age::teenager:
      return is_male() ? one_of(random_, {"teenage boy", "young man"})
                       : one_of(random_, {"teenage girl", "young woman"});
    case Age::old:
      return one_of(random_, {"old ", "elderly "}) + (is_male() ? "man" : "woman");
    case Age::adult:
      break;
    }
    return is_male() ? "man" : one_of(random_, {"woman", "lady"});
  }

  std::string person_with_hair() { return fmt::format("{} with {}", person(), hair()); }

  std::string hair() {
    const std::string colour(name_of(look_.hair_colour));
    switch (look_.hair) {
    case HairStyle::bald:
      return "a bald head";
    case HairStyle::cropped:
      return "very short " + colour + " hair";
    case HairStyle::short_hair:
      return "short " + colour + " hair";
    case HairStyle::bob:
      return "chin-length " + colour + " hair";
    case HairStyle::long_loose:
      return "long " + colour + " hair";
    case HairStyle::ponytail:
      return "long " + colour + " hair in a ponytail";
    case HairStyle::bun:
      return "long " + colour + " hair in a bun";
    }
    return {};
  }

  std::string wears() { return one_of(random_, {"wears", "is wearing", "is dressed in", "has on"}); }

  std::string view() {
    if (facing_ == Facing::front) return one_of(random_, {"facing the camera", "seen from the front"});
    if (facing_ == Facing::back) return one_of(random_, {"seen from behind", "with the back to the camera"});
    return one_of(random_, {"seen from the side", "passing by"});
  }

  std::string walking() {
    if (facing_ == Facing::front) return one_of(random_, {"walking towards the camera", "coming closer"});
    if (facing_ == Facing::back) return one_of(random_, {"walking away", "seen from behind"});
    return one_of(random_, {"walking by", "seen from the side"});
  }

  // " with white stripes": only what this side shows.
  std::string upper_pattern() const {
    const std::string second(name_of(look_.upper_second.name));
    if (look_.is_open)
      return facing_ == Facing::back ? ""
                                     : fmt::format(" worn open over {} shirt",
                                                   with_article(std::string(name_of(look_.inner.name))));
    switch (look_.upper_pattern) {
    case UpperPattern::plain:
      return "";
    case UpperPattern::stripes:
      return " with " + second + " stripes";
    case UpperPattern::thick_stripes:
      return " with broad " + second + " stripes";
    case UpperPattern::pinstripes:
      return " with " + second + " vertical stripes";
    case UpperPattern::checks:
      return " with " + second + " checks";
    case UpperPattern::dots:
      return " with " + second + " dots";
    case UpperPattern::logo:
      return facing_ == Facing::front ? fmt::format(" with a small {} logo on the chest", second) : "";
    case UpperPattern::big_print:
      return facing_ == Facing::front ? fmt::format(" with a large {} print on the front", second) : "";
    case UpperPattern::two_tone:
      return " with " + second + " shoulders";
    case UpperPattern::side_panels:
      return " with " + second + " sides";
    }
    return "";
  }

  std::string upper() {
    static constexpr std::array<std::string_view, 7> kKinds{"t-shirt", "polo shirt", "shirt", "sweater",
                                                            "hoodie",  "jacket",     "coat"};
    const std::string colour(name_of(look_.upper_cloth.name));
    if (look_.wears_dress())
      return fmt::format("{} dress with {} sleeves", with_article(colour),
                         look_.has_long_sleeves ? "long" : "short");
    const std::string kind(kKinds[static_cast<std::size_t>(look_.upper)]);
    const bool names_sleeves = look_.upper == UpperKind::shirt || random_.chance(0.3);
    const std::string sleeves = !names_sleeves           ? ""
                                : look_.has_long_sleeves ? "long-sleeved "
                                                         : "short-sleeved ";
    return with_article(fmt::format("{}{} {}", sleeves, colour, kind)) + upper_pattern();
  }

  std::string lower_pattern() const {
    const std::string second(name_of(look_.lower_second.name));
    switch (look_.lower_pattern) {
    case LowerPattern::plain:
      return "";
    case LowerPattern::side_stripe:
      return facing_ == Facing::side ? fmt::format(" with a {} stripe down the side", second) : "";
    case LowerPattern::checks:
      return " with " + second + " checks";
    case LowerPattern::dots:
      return " with " + second + " dots";
    }
    return "";
  }

  std::string lower() {
    const std::string colour(name_of(look_.lower_cloth.name));
    switch (look_.lower) {
    case LowerKind::trousers:
      return colour + one_of(random_, {" trousers", " pants"}) + lower_pattern();
    case LowerKind::jeans:
      return colour + " jeans";
    case LowerKind::shorts:
      return colour + " shorts" + lower_pattern();
    case LowerKind::skirt:
      return "a knee-length " + colour + " skirt" + lower_pattern();
    case LowerKind::dress:
      return shoes();
    }
    return {};
  }

  std::string shoes() const {
    return fmt::format("{} {}", name_of(look_.shoes.name), look_.has_boots ? "boots" : "shoes");
  }

  static std::string named(const Bag& bag, std::string_view kind) {
    return with_article(fmt::format("{} {}", name_of(bag.cloth.name), kind));
  }

  // Further sentences about what is worn on the head and carried.
  std::string extras() {
    std::string text;
    static constexpr std::array<std::string_view, 4> kHats{"", "cap", "woollen hat", "sun hat"};
    std::vector<std::string> worn;
    if (look_.hat != HatKind::none)
      worn.push_back(with_article(
          fmt::format("{} {}", name_of(look_.hat_cloth.name), kHats[static_cast<std::size_t>(look_.hat)])));
    if (look_.has_scarf) worn.push_back(with_article(fmt::format("{} scarf", name_of(look_.scarf.name))));
    if (look_.has_glasses && facing_ == Facing::front) worn.push_back("glasses");
    if (!worn.empty())
      text += fmt::format(" {} {} {}.", capitalised(pronoun()), one_of(random_, {"wears", "has"}),
                          enumerate(worn));
    std::vector<std::string> carried;
    if (look_.backpack.is_worn)
      carried.push_back(named(look_.backpack, one_of(random_, {"backpack", "rucksack"})));
    if (look_.shoulder_bag.is_worn) carried.push_back(named(look_.shoulder_bag, "shoulder bag"));
    if (look_.handbag.is_worn) carried.push_back(named(look_.handbag, "handbag"));
    if (!carried.empty())
      text += fmt::format(" {} {} {}.", capitalised(pronoun()), one_of(random_, {"carries", "is carrying"}),
                          enumerate(carried));
    return text;
  }

  const PersonLook& look_;
  Facing facing_;
  Random& random_;
};

} // namespace

std::string describe(const PersonLook& look, float yaw, Random& random) {
  return Describer(look, yaw, random).sentence();
}

std::string describe(const VehicleLook& look, float yaw, Random& random) {
  static constexpr std::array<std::string_view, 8> kViews{"the front",       "behind",        "the left",
                                                          "the front left",  "the rear left", "the right",
                                                          "the front right", "the rear right"};
  const std::string_view view = kViews[static_cast<std::size_t>(viewpoint_of(yaw))];
  std::vector<std::string> details;
  if (look.has_roof_rack) details.push_back("a roof rack");
  if (look.has_sunroof) details.push_back("a sunroof");
  if (look.has_spoiler && std::cos(yaw) < 0.3f) details.push_back("a rear spoiler");
  if (look.has_stripe && std::abs(std::sin(yaw)) > 0.4f) details.push_back("a stripe along the side");
  if (look.has_logo && std::abs(std::sin(yaw)) > 0.4f) details.push_back("a sign on the side");
  if (look.has_dark_windows) details.push_back("dark windows");
  const std::string name = fmt::format("{} {}", name_of(look.colour), name_of(look.kind));
  const std::string with = details.empty() ? "" : " with " + enumerate(details);
  if (random.chance(0.5))
    return fmt::format("{}{} seen from {}.", capitalised(with_article(name)), with, view);
  return fmt::format("The picture shows {} from {}{}.", with_article(name), view,
                     details.empty() ? "" : "; it comes" + with);
}

std::vector<std::string> caption_tokens(const std::string& sentence) {
  std::vector<std::string> tokens(1);
  for (const char c : sentence) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-')
      tokens.back() += static_cast<char>(std::tolower(byte));
    else if (!tokens.back().empty())
      tokens.emplace_back();
  }
  if (tokens.back().empty()) tokens.pop_back();
  return tokens;
}

nlohmann::ordered_json caption_entry(const PlannedIdentity& identity, const std::string& file_path,
                                     const std::vector<std::string>& sentences) {
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  for (const std::string& sentence : sentences)
    tokens.push_back(caption_tokens(sentence));
  return {{"id", identity.identity},
          {"split", identity.is_validation ? "val"
                    : identity.is_train    ? "train"
                                           : "test"},
          {"file_path", file_path},
          {"captions", sentences},
          {"processed_tokens", tokens}};
}

} // namespace vlreid
