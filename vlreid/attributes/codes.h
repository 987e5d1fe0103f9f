// What a cell of a table says: Market-1501's codes (1 no, 2 yes, or the first and second of two words) and
// the words that other tables write in their place. Internal to `attributes`.
#pragma once

#include <optional>
#include <string_view>

namespace vlreid {

// 2, yes, true: true; 0, 1, no, false and nothing: false; another text or number: nothing.
std::optional<bool> yes_or_no(std::string_view cell);

} // namespace vlreid
