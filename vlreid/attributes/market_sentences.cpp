// The sentences of Multimodal-ReID over Market-1501's 27 attributes. A cell may hold the word itself in place
// of its code.
#include "vlreid/attributes/codes.h"
#include "vlreid/attributes/sentences.h"
#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"

#include <array>
#include <fmt/format.h>
#include <span>

namespace vlreid {
namespace {

// In the order of the struct `test`: an identity with several gets the first. COMPAT: there is no brown above
// and no pink above, nor red below.
constexpr std::array<std::string_view, 8> kUpperColours = {"black",  "white", "red",  "purple",
                                                           "yellow", "gray",  "blue", "green"};
constexpr std::array<std::string_view, 9> kLowerColours = {"black", "white", "pink",  "purple", "yellow",
                                                           "gray",  "blue",  "green", "brown"};
constexpr std::array<std::string_view, 3> kAges = {"young", "teenager", "adult"};
constexpr std::array<std::string_view, 3> kBags = {"backpack", "bag", "handbag"};

class PersonRow {
public:
  PersonRow(const AttributeTable& table, std::size_t row) : table_(table), row_(row) {}

  // The word of code 1, 2, ...; `otherwise` of every other code.
  std::string word(std::string_view column, std::span<const std::string_view> words,
                   std::string_view otherwise) const {
    const std::string& value = cell(column);
    const auto code = parse_integer(value);
    if (!code && !value.empty()) return value;
    const bool has_word = code && *code >= 1 && *code <= static_cast<std::int64_t>(words.size());
    return std::string(has_word ? words[static_cast<std::size_t>(*code - 1)] : otherwise);
  }

  std::string first_or(std::string_view column, std::string_view first, std::string_view otherwise) const {
    return word(column, std::span(&first, 1), otherwise);
  }

  bool has(std::string_view column) const {
    const std::string& value = cell(column);
    if (const auto said = yes_or_no(value)) return *said;
    VLREID_REQUIRE(
        parse_integer(value).has_value(), ErrorKind::data, table_.place,
        fmt::format("'{}' in column '{}' of identity '{}'", value, column, table_.rows[row_].identity),
        "1 (no) or 2 (yes)", "correct the table, or choose --sentences columns");
    return true; // COMPAT: every code but 1
  }

  std::string colour(const char* part, std::span<const std::string_view> colours) const {
    for (const std::string_view colour : colours)
      if (has(part + std::string(colour))) return std::string(colour);
    return "other";
  }

  // "short hair, white long sleeve, black long pants"
  std::string look() const {
    return fmt::format("{}, {} {}, {} {} {}", hair(), colour("up", kUpperColours),
                       first_or("up", "long sleeve", "short sleeve"), colour("down", kLowerColours),
                       first_or("down", "long", "short"), first_or("clothes", "dress", "pants"));
  }

  // "adult female person no.7"
  std::string person() const {
    return fmt::format("{} {} person no.{}", word("age", kAges, "old"), first_or("gender", "male", "female"),
                       row_);
  }

  std::vector<std::string> carried() const {
    std::vector<std::string> things;
    for (const std::string_view bag : kBags)
      if (has(bag)) things.push_back("a " + std::string(bag));
    return things;
  }

private:
  std::string hair() const { return first_or("hair", "short hair", "long hair"); }

  const std::string& cell(std::string_view column) const {
    const auto place = table_.find(column);
    VLREID_REQUIRE(place.has_value(), ErrorKind::data, table_.place,
                   "no column '" + std::string(column) + "'", "the 27 attributes of Market-1501",
                   "add the column, or choose --sentences columns");
    return table_.rows[row_].values[*place];
  }

  const AttributeTable& table_;
  std::size_t row_;
};

// "a young male person no.0 with ...", and what is worn and carried, joined by commas; the latter may be
// empty.
struct PlainParts {
  std::string person, belongings;
};

PlainParts plain_parts(const AttributeTable& table, std::size_t row) {
  const PersonRow person(table, row);
  std::vector<std::string> belongings;
  if (person.has("hat")) belongings.emplace_back("wearing a hat");
  if (const auto things = person.carried(); !things.empty())
    belongings.push_back("carrying " + join(things, ", "));
  return {.person = fmt::format("a {} with {}", person.person(), person.look()),
          .belongings = join(belongings, ", ")};
}

// "nothing", "a bag", "a backpack, a bag and a handbag"
std::string enumerated(const std::vector<std::string>& things) {
  if (things.empty()) return "nothing";
  const std::vector<std::string> before(things.begin(), things.end() - 1);
  return before.empty() ? things.back() : join(before, ", ") + " and " + things.back();
}

} // namespace

// COMPAT: ends with ", ." where there are no belongings (spec/multimodal.md, bug 13); `tidy` does not.
std::vector<std::string> make_plain_sentences(const AttributeTable& table, std::size_t row,
                                              std::string_view) {
  const PlainParts parts = plain_parts(table, row);
  return {parts.person + ", " + parts.belongings + "."};
}

std::vector<std::string> make_tidy_sentences(const AttributeTable& table, std::size_t row, std::string_view) {
  const PlainParts parts = plain_parts(table, row);
  return {parts.person + (parts.belongings.empty() ? "" : ", " + parts.belongings) + "."};
}

std::vector<std::string> make_augmented_sentences(const AttributeTable& table, std::size_t row,
                                                  std::string_view) {
  // COMPAT: "a origami", as Multimodal-ReID has it.
  static constexpr std::array<std::string_view, 7> kFrames = {
      "itap of a {}",         "a bad photo of the {}", "a origami {}",           "a photo of the large {}",
      "a {} in a video game", "art of the {}",         "a photo of the small {}"};
  static constexpr std::array<std::string_view, 4> kWays = {"on my left or right side", "walking", "rushing",
                                                            "in the distance"};
  const PersonRow person(table, row);
  const std::string head = person.has("hat") ? "wearing a hat" : "wearing nothing on head";
  const std::string carry = "carrying " + enumerated(person.carried());
  std::vector<std::string> bodies;
  for (const std::string& ending : {", " + head + ", " + carry, ", " + carry + ", " + head})
    for (const std::string_view way : kWays)
      bodies.push_back(fmt::format("{} {} with {}{}", person.person(), way, person.look(), ending));
  std::vector<std::string> sentences;
  for (const std::string_view frame : kFrames)
    for (const std::string& body : bodies)
      sentences.push_back(fmt::format(fmt::runtime(frame), body));
  return sentences;
}

} // namespace vlreid
