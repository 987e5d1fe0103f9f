#include "vlreid/text/clean.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

namespace vlreid {
namespace {

constexpr char32_t kReplacement = 0xfffd;
constexpr std::size_t kLongestName = 32; // of a named character, in html.unescape

struct NamedCharacter {
  std::string_view name;
  std::u32string_view text;
};

constexpr NamedCharacter kNamedCharacters[] = {
#include "vlreid/text/html_entities.inc"
};

const NamedCharacter* find_named(std::string_view name) {
  const auto found = std::ranges::lower_bound(kNamedCharacters, name, {}, &NamedCharacter::name);
  return found != std::end(kNamedCharacters) && found->name == name ? found : nullptr;
}

// What browsers read for the numbers 0x80 to 0x9f: Windows-1252, where it has a character.
constexpr std::array<char32_t, 32> kWindows1252 = {
    0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
    0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

bool is_noncharacter(char32_t c) {
  return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

// The text of "&#number;".
std::u32string text_of_number(char32_t number) {
  if (number >= 0x80 && number <= 0x9f) return {kWindows1252[number - 0x80]};
  if (number == 0 || (number >= 0xd800 && number <= 0xdfff) || number > 0x10ffff) return {kReplacement};
  const bool is_control =
      (number < 0x20 && number != '\t' && number != '\n' && number != '\f' && number != '\r') ||
      number == 0x7f;
  if (is_control || is_noncharacter(number)) return {};
  return {number};
}

std::optional<unsigned> digit_value(char32_t c, unsigned base) {
  unsigned value = base;
  if (c >= '0' && c <= '9') value = c - '0';
  if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
  return value < base ? std::optional(value) : std::nullopt;
}

// Reads "#65;" or "#x41;" at the start of `text`; returns its length, 0 when it is not a number.
std::size_t unescape_number(std::u32string_view text, std::u32string& out) {
  const bool is_hex = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
  const std::size_t start = is_hex ? 2 : 1;
  std::size_t i = start;
  char32_t number = 0;
  for (; i < text.size(); ++i) {
    const std::optional<unsigned> digit = digit_value(text[i], is_hex ? 16 : 10);
    if (!digit) break;
    number =
        std::min<char32_t>(number * (is_hex ? 16 : 10) + *digit, 0x110000); // beyond Unicode is all the same
  }
  if (i == start) return 0;
  out += text_of_number(number);
  return i < text.size() && text[i] == ';' ? i + 1 : i;
}

bool may_be_in_name(char32_t c) {
  return c != '\t' && c != '\n' && c != '\f' && c != ' ' && c != '<' && c != '&' && c != '#' && c != ';';
}

// Reads "amp;", or the longest known name at the start ("ampx" is "&x"); returns the length that is used up.
std::size_t unescape_name(std::u32string_view text, std::u32string& out) {
  std::string name;
  while (name.size() < std::min(kLongestName, text.size()) && may_be_in_name(text[name.size()])) {
    const char32_t c = text[name.size()];
    name += c < 0x80 ? static_cast<char>(c) : '\0'; // in no name
  }
  const bool has_end = !name.empty() && name.size() < text.size() && text[name.size()] == ';';
  if (has_end) name += ';';
  for (std::size_t length = name.size(); length > 1; --length) {
    const NamedCharacter* named = find_named(std::string_view(name).substr(0, length));
    if (!named) continue;
    out += named->text;
    return length;
  }
  return 0;
}

bool is_stripped(char32_t c) {
  return class_of(c) == CharacterClass::space || (c >= 0x1c && c <= 0x1f);
}

std::u32string_view strip(std::u32string_view text) {
  while (!text.empty() && is_stripped(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_stripped(text.back()))
    text.remove_suffix(1);
  return text;
}

bool is_ascii(std::u32string_view text) {
  return std::ranges::all_of(text, [](char32_t c) { return c < 0x80; });
}

} // namespace

std::u32string from_utf8(std::string_view text) {
  VLREID_REQUIRE(text.size() <= std::numeric_limits<std::int32_t>::max() / 8, ErrorKind::data, "text",
                 fmt::format("{} bytes", text.size()), "expected a sentence", "shorten it");
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int32_t>(text.size());
  std::u32string out;
  out.reserve(text.size());
  for (std::int32_t i = 0; i < size;) {
    UChar32 c = 0;
    U8_NEXT_OR_FFFD(bytes, i, size, c);
    out += static_cast<char32_t>(c);
  }
  return out;
}

std::string to_utf8(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) {
    std::uint8_t bytes[U8_MAX_LENGTH];
    std::int32_t length = 0;
    U8_APPEND_UNSAFE(bytes, length, c);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
  }
  return out;
}

std::u32string unescape_html(std::u32string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t used = 0;
    if (text[i] == '&' && i + 1 < text.size()) {
      const std::u32string_view rest = text.substr(i + 1);
      used = rest[0] == '#' ? unescape_number(rest, out) : unescape_name(rest, out);
    }
    if (used == 0) out += text[i];
    i += used;
  }
  return out;
}

std::u32string collapse_white_space(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : strip(text)) {
    const bool is_space = class_of(c) == CharacterClass::space;
    if (!is_space)
      out += c;
    else if (out.back() != ' ') // the first character is no space
      out += ' ';
  }
  return out;
}

std::u32string to_lower(std::u32string_view text) {
  std::u32string out(text);
  if (is_ascii(text)) {
    for (char32_t& c : out)
      if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
    return out;
  }
  static_assert(sizeof(UChar32) == sizeof(char32_t));
  icu::UnicodeString lower = icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                                           static_cast<std::int32_t>(text.size()));
  lower.toLower(icu::Locale::getRoot());
  out.clear();
  for (std::int32_t i = 0; i < lower.length(); i = lower.moveIndex32(i, 1))
    out += static_cast<char32_t>(lower.char32At(i));
  return out;
}

CharacterClass class_of(char32_t character) {
  const auto c = static_cast<UChar32>(character);
  if (u_isUWhiteSpace(c)) return CharacterClass::space;
  const auto category = static_cast<std::uint32_t>(U_MASK(u_charType(c)));
  if (category & U_GC_L_MASK) return CharacterClass::letter;
  return category & U_GC_N_MASK ? CharacterClass::number : CharacterClass::other;
}

std::u32string clean(std::string_view text) {
  // Unescaped twice: captions from the web often are escaped twice.
  return to_lower(collapse_white_space(unescape_html(unescape_html(from_utf8(text)))));
}

} // namespace vlreid
