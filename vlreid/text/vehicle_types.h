// What the sentence of a vehicle says about its type (CoOp on VeRi-776, spec/multimodal.md, section 4). The
// words are ours. Immutable, thread safe.
#pragma once

#include <string>
#include <string_view>

namespace vlreid {

// "sedan" -> "sedan, a car with ..."; a word before the type ("black pickup") stays before it; an empty type
// gives "background.", and one that is not in the list its own name.
std::string vehicle_type_text(std::string_view type);

} // namespace vlreid
