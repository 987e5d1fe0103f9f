// What the two readers of users' own data share: rows with identities named by numbers or by any text, put
// into subsets. Internal to `datasets`.
#pragma once

#include "vlreid/datasets/dataset.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vlreid {

enum class Split { none, train, query, gallery };

// train, query or gallery; "" is none, anything else nothing.
std::optional<Split> parse_split(std::string_view text);

// Collects rows and builds the set. All identities are whole numbers: they stay as they are (-1 is junk and
// dropped). Otherwise the names in byte order are numbered 0..n-1, one table for all subsets, kept in
// identity_names. Rows without a split are train, query and gallery alike; evaluation then leaves out the
// query's own image.
class UserSetBuilder {
public:
  void add(std::string path, std::string_view identity, int camera, int view, Split split);
  std::size_t size() const { return rows_.size(); }
  void build_into(Dataset& dataset);

private:
  struct Row {
    std::string path;
    std::uint32_t name;
    int camera, view;
    Split split;
  };

  // The number of each name, by its place in names_.
  std::vector<std::int64_t> number_names(Dataset& dataset) const;

  std::vector<Row> rows_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint32_t> places_; // name -> place in names_
};

} // namespace vlreid
