// "a photo of a vehicle, type suv, colour white, roof rack": tables of any kind.
#include "vlreid/attributes/codes.h"
#include "vlreid/attributes/sentences.h"

#include <algorithm>

namespace vlreid {

std::vector<std::string> make_columns_sentences(const AttributeTable& table, std::size_t row,
                                                std::string_view word) {
  std::string sentence = "a photo of a " + std::string(word);
  for (std::size_t i = 0; i < table.names.size(); ++i) {
    const std::string& value = table.rows[row].values[i];
    const std::optional<bool> is_there = yes_or_no(value);
    if (is_there == false) continue;
    std::string name = table.names[i];
    std::ranges::replace(name, '_', ' ');
    sentence += ", " + name + (is_there ? "" : " " + value);
  }
  return {sentence + "."};
}

} // namespace vlreid
