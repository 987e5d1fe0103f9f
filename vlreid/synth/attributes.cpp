#include "vlreid/synth/attributes.h"

#include <fmt/format.h>

namespace vlreid {

std::vector<std::pair<std::string, int>> market_attributes(const PersonLook& look) {
  using enum ClothColour;
  const auto yes = [](bool value) { return value ? 2 : 1; };
  std::vector<std::pair<std::string, int>> row{
      {"age", 1 + static_cast<int>(look.age)},
      {"backpack", yes(look.backpack.is_worn)},
      {"bag", yes(look.shoulder_bag.is_worn)},
      {"handbag", yes(look.handbag.is_worn)},
      {"clothes", look.wears_dress() || look.lower == LowerKind::skirt ? 1 : 2},
      {"down", look.has_long_lower() ? 1 : 2},
      {"up", look.has_long_sleeves ? 1 : 2},
      {"hair", yes(look.has_long_hair())},
      {"hat", yes(look.hat != HatKind::none)},
      {"gender", yes(look.gender == Gender::female)},
  };
  for (const ClothColour colour : {black, white, red, purple, yellow, gray, blue, green})
    row.emplace_back(fmt::format("up{}", name_of(colour)), yes(look.upper_cloth.name == colour));
  for (const ClothColour colour : {black, white, pink, purple, yellow, gray, blue, green, brown})
    row.emplace_back(fmt::format("down{}", name_of(colour)), yes(look.lower_cloth.name == colour));
  return row;
}

namespace {

std::string_view split_of(const PlannedIdentity& identity) {
  return identity.is_train ? "train" : "test";
}

} // namespace

std::string person_table(std::span<const PlannedIdentity> identities, std::span<const PersonLook> train,
                         std::span<const PersonLook> test) {
  std::string text = "identity,split";
  for (const auto& [name, code] : market_attributes(PersonLook{}))
    text += "," + name;
  text += "\n";
  for (const PlannedIdentity& identity : identities) {
    text += fmt::format("{},{}", identity.identity, split_of(identity));
    const PersonLook& look = (identity.is_train ? train : test)[static_cast<std::size_t>(identity.look)];
    for (const auto& [name, code] : market_attributes(look))
      text += fmt::format(",{}", code);
    text += "\n";
  }
  return text;
}

std::string vehicle_table(std::span<const PlannedIdentity> identities, std::span<const VehicleLook> train,
                          std::span<const VehicleLook> test) {
  std::string text =
      "identity,split,type,colour,roof_rack,sunroof,spoiler,side_stripe,side_logo,dark_windows\n";
  for (const PlannedIdentity& identity : identities) {
    const VehicleLook& look = (identity.is_train ? train : test)[static_cast<std::size_t>(identity.look)];
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{},{}\n", identity.identity, split_of(identity),
                    name_of(look.kind), name_of(look.colour), 1 + look.has_roof_rack, 1 + look.has_sunroof,
                    1 + look.has_spoiler, 1 + look.has_stripe, 1 + look.has_logo, 1 + look.has_dark_windows);
  }
  return text;
}

} // namespace vlreid
