// Texts of values -> typed values, by the rules of the references: a text may be a Python literal
// ("('market1501')", "(40, 70)",
// "['q', 'k']"), and numbers may be quoted or lack the dot ("1e-6"). Internal to the folder; pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

// One text: a quoted literal loses its quotes, also inside brackets; everything else stays as it is.
std::string read_text_literal(std::string_view text);
// The texts of a list; one text without brackets is a list of one.
std::vector<std::string> read_list_literal(std::string_view text);

std::optional<bool> read_flag(std::string_view text);
std::optional<std::int64_t> read_whole_number(std::string_view text);
std::optional<double> read_number(std::string_view text); // finite

// The texts that the readers above turn into the same value again, in YAML form.
std::string print_text(std::string_view text);
std::string print_list_item(std::string_view text); // within [ ]
std::string print_number(double number);

} // namespace vlreid
