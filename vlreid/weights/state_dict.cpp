#include "vlreid/weights/state_dict.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"

#include <utility>

namespace vlreid {

void StateDict::add(std::string name, at::Tensor tensor) {
  VLREID_ASSERT(index_.emplace(name, entries_.size()).second);
  entries_.push_back({.name = std::move(name), .tensor = std::move(tensor)});
}

void StateDict::set(std::string name, at::Tensor tensor) {
  const auto found = index_.find(name);
  if (found == index_.end())
    add(std::move(name), std::move(tensor));
  else
    entries_[found->second].tensor = std::move(tensor);
}

const at::Tensor* StateDict::find(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &entries_[found->second].tensor;
}

const at::Tensor& StateDict::at(std::string_view name) const {
  if (const at::Tensor* tensor = find(name)) return *tensor;
  std::vector<std::string> names;
  for (const Entry& entry : entries_)
    names.push_back(entry.name);
  fail(ErrorKind::data, {.place = "weights",
                         .found = "no tensor '" + std::string(name) + "'",
                         .expected = "weights that have it",
                         .remedy = "did you mean '" + nearest(name, names) + "'?"});
}

StateDict StateDict::below(std::string_view prefix) const {
  StateDict part;
  for (const Entry& entry : entries_)
    if (entry.name.starts_with(prefix)) part.add(entry.name.substr(prefix.size()), entry.tensor);
  return part;
}

} // namespace vlreid
