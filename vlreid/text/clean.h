// The clean-up that CLIP gives a text before it is cut into words, on code points. Each function is one step
// and follows the Python function that the references call, corner cases included. Internal to the folder;
// pure, thread safe.
#pragma once

#include <string>
#include <string_view>

namespace vlreid {

// Broken sequences, surrogates and the like become U+FFFD, one for each maximal part, as in Python's
// errors="replace".
std::u32string from_utf8(std::string_view text);
std::string to_utf8(std::u32string_view text);

// Python's html.unescape: "&amp;" "&#65;" "&#x41;", also without ';' where HTML allows it.
std::u32string unescape_html(std::u32string_view text);

// Strips both ends and makes one blank of each run of white space.
std::u32string collapse_white_space(std::u32string_view text);

// Unicode's full lower-casing without a language (final sigma, dotted I).
std::u32string to_lower(std::u32string_view text);

enum class CharacterClass { letter, number, space, other };
CharacterClass class_of(char32_t character);

// All steps in their order.
std::u32string clean(std::string_view text);

} // namespace vlreid
