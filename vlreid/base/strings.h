// Small text helpers. All work on bytes (ASCII rules) and never consult the locale.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

std::string join(std::span<const std::string> parts, std::string_view separator);
// "a,b,,c" -> {"a","b","","c"}; an empty text gives one empty part.
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string to_lower_ascii(std::string_view text);

// The whole text as a decimal number, or nothing ("12x", "", out of range).
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_real(std::string_view text);

// The candidate with the smallest edit distance (the first of equals); empty when there are no candidates.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

// 1234567 -> "1 234 567" and 5400 s -> "1:30:00", for people.
std::string group_digits(std::int64_t number);
std::string format_duration(double seconds);

} // namespace vlreid
