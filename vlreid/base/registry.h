// A family of interchangeable members (datasets, prompts, filters, ...): name -> factory and a one-line
// description. Filled once by one function that lists every member, so a static library cannot lose one;
// read-only and thread safe afterwards.
//
//     VLREID_BUILTIN(market1501, "Market-1501: 751 + 750 people, 6 cameras")      // one line in the family's
//     builtin.def
#pragma once

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vlreid {

template <typename Factory>
class Registry {
public:
  struct Member {
    Factory factory;
    std::string description;
  };

  // `family` is the singular word used in messages ("dataset").
  explicit Registry(std::string family) : family_(std::move(family)) {}

  void add(std::string name, Factory factory, std::string description) {
    const bool is_new =
        members_.emplace(std::move(name), Member{std::move(factory), std::move(description)}).second;
    VLREID_ASSERT(is_new);
  }

  bool has(std::string_view name) const { return members_.contains(name); }

  // An unknown name is a configuration error that lists the known ones and the nearest.
  const Factory& at(std::string_view name) const {
    const auto found = members_.find(name);
    if (found == members_.end()) fail(ErrorKind::config, unknown(name));
    return found->second.factory;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, member] : members_)
      names.push_back(name);
    return names;
  }

  const std::map<std::string, Member, std::less<>>& members() const { return members_; }
  const std::string& family() const { return family_; }

private:
  Fault unknown(std::string_view name) const {
    return {.place = family_,
            .found = "unknown name '" + std::string(name) + "'",
            .expected = "one of " + join(names(), ", "),
            .remedy = "did you mean '" + nearest(name, names()) + "'?"};
  }

  std::string family_;
  std::map<std::string, Member, std::less<>> members_;
};

} // namespace vlreid
