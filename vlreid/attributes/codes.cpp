#include "vlreid/attributes/codes.h"

#include "vlreid/base/strings.h"

#include <algorithm>
#include <array>
#include <string>

namespace vlreid {

std::optional<bool> yes_or_no(std::string_view cell) {
  static constexpr std::array<std::string_view, 3> kYes = {"2", "yes", "true"};
  static constexpr std::array<std::string_view, 5> kNo = {"", "0", "1", "no", "false"};
  const std::string word = to_lower_ascii(cell);
  if (std::ranges::find(kYes, word) != kYes.end()) return true;
  if (std::ranges::find(kNo, word) != kNo.end()) return false;
  return std::nullopt;
}

} // namespace vlreid
