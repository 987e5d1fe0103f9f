// Attributes of identities (hair, clothes, colours, bags, ...): what zero-shot sentences are made of. Read
// from
//
//     Market-1501's market_attribute.mat   structs `test` and `train`; every field BY NAME, since the order
//     differs between the two
//     CSV                                  a header with `identity`, optionally `split`, and one column an
//     attribute, as `vlreid synth` writes it; codes or words
//
// spec/multimodal.md, section 10. Plain values.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

struct AttributeRow {
  std::string identity;            // as written: "0001"
  std::string split;               // "test", "train", any other word, or "" for a table without splits
  std::vector<std::string> values; // one for each name of the table
};

struct AttributeTable {
  std::string place;              // file, for messages
  std::vector<std::string> names; // of the columns, lower case
  std::vector<AttributeRow> rows; // in the order of the file; an identity once a split

  std::optional<std::size_t> find(std::string_view name) const;
};

// What the file is follows from its bytes. Throws Error: missing; data with file:line for what is in it.
AttributeTable open_attributes(const std::filesystem::path& path);

// The rows of one split, or of "all"; rows without a split belong to every one. Throws Error(data) when none
// is left, naming the splits that there are.
AttributeTable select_split(const AttributeTable& table, std::string_view split);

// Number of an identity as a dataset's file names give it ("0001" is 1), or nothing for other texts.
std::optional<std::int64_t> identity_number(const AttributeRow& row);

} // namespace vlreid
