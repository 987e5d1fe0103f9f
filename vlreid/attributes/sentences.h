// One identity's attributes -> the sentences that describe it. A family (builtin.def): a kind of sentence is
// one function and one line. spec/multimodal.md, section 10. Pure, thread safe.
//
//     const auto sentences = sentence_kinds().at("augmented")(table, 0, "person"); // 56
#pragma once

#include "vlreid/attributes/table.h"
#include "vlreid/base/registry.h"

#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

// `row`: place in table.rows, which is also the number in Multimodal-ReID's sentences ("no.0"); `word`:
// "person" or "vehicle". Throws Error(data) for a table that lacks a column which the kind needs.
using SentenceKind = std::vector<std::string> (*)(const AttributeTable& table, std::size_t row,
                                                  std::string_view word);

#define VLREID_BUILTIN(name, description)                                                                    \
  std::vector<std::string> make_##name##_sentences(const AttributeTable& table, std::size_t row,             \
                                                   std::string_view word);
#include "vlreid/attributes/builtin.def"
#undef VLREID_BUILTIN

const Registry<SentenceKind>& sentence_kinds();

} // namespace vlreid
