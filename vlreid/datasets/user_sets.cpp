#include "vlreid/datasets/user_sets.h"

#include "vlreid/base/strings.h"
#include "vlreid/datasets/reading.h"

#include <algorithm>
#include <numeric>

namespace vlreid {

std::optional<Split> parse_split(std::string_view text) {
  if (text.empty()) return Split::none;
  if (text == "train") return Split::train;
  if (text == "query") return Split::query;
  if (text == "gallery") return Split::gallery;
  return std::nullopt;
}

void UserSetBuilder::add(std::string path, std::string_view identity, int camera, int view, Split split) {
  const auto [place, is_new] =
      places_.emplace(std::string(identity), static_cast<std::uint32_t>(names_.size()));
  if (is_new) names_.emplace_back(identity);
  rows_.push_back(
      {.path = std::move(path), .name = place->second, .camera = camera, .view = view, .split = split});
}

std::vector<std::int64_t> UserSetBuilder::number_names(Dataset& dataset) const {
  std::vector<std::int64_t> numbers;
  for (const std::string& name : names_) {
    const std::optional<std::int64_t> number = parse_integer(name);
    if (number) numbers.push_back(*number);
  }
  if (numbers.size() == names_.size()) return numbers;

  std::vector<std::size_t> order(names_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return names_[a] < names_[b]; });
  numbers.assign(names_.size(), 0);
  for (std::size_t i = 0; i < order.size(); ++i) {
    numbers[order[i]] = static_cast<std::int64_t>(i);
    dataset.identity_names.push_back(names_[order[i]]);
  }
  return numbers;
}

void UserSetBuilder::build_into(Dataset& dataset) {
  const std::vector<std::int64_t> numbers = number_names(dataset);
  const bool has_junk_number = dataset.identity_names.empty();
  bool has_unsplit = false;
  for (Row& row : rows_) {
    Record record{
        .path = std::move(row.path), .identity = numbers[row.name], .camera = row.camera, .view = row.view};
    if (has_junk_number && record.identity == -1) {
      ++dataset.dropped_junk;
      continue;
    }
    const bool is_everything = row.split == Split::none;
    has_unsplit |= is_everything;
    if (is_everything || row.split == Split::train) dataset.train.push_back(record);
    if (is_everything || row.split == Split::query) dataset.query.push_back(record);
    if (is_everything || row.split == Split::gallery) dataset.gallery.push_back(std::move(record));
  }
  if (has_unsplit)
    dataset.warnings.push_back(
        "no split: the same images are train, query and gallery; scores are those of images that training "
        "has seen if this set is trained on");
  relabel_train(dataset);
}

} // namespace vlreid
