#include "vlreid/weights/match.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unordered_set>

namespace vlreid {
namespace {

constexpr std::size_t kMaxListed = 20;

void append_list(std::vector<std::string>& parts, std::string_view title,
                 const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::vector<std::string> shown(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMaxListed)));
  if (names.size() > kMaxListed) shown.push_back(fmt::format("and {} more", names.size() - kMaxListed));
  parts.push_back(fmt::format("{} {}: {}", names.size(), title, join(shown, ", ")));
}

} // namespace

void require_tensors(const StateDict& state, std::span<const ExpectedTensor> expected,
                     const std::string& path) {
  std::vector<std::string> missing;
  std::vector<std::string> misshapen;
  std::vector<std::string> extra;
  std::unordered_set<std::string_view> known;
  for (const ExpectedTensor& wanted : expected) {
    known.insert(wanted.name);
    const at::Tensor* tensor = state.find(wanted.name);
    if (tensor == nullptr)
      missing.push_back(wanted.name);
    else if (tensor->sizes() != at::IntArrayRef(wanted.shape))
      misshapen.push_back(fmt::format("{} is [{}], should be [{}]", wanted.name,
                                      fmt::join(tensor->sizes(), ", "), fmt::join(wanted.shape, ", ")));
  }
  for (const auto& [name, tensor] : state)
    if (!known.contains(name)) extra.push_back(name);
  std::vector<std::string> parts;
  append_list(parts, "missing", missing);
  append_list(parts, "misshapen", misshapen);
  append_list(parts, "extra", extra);
  VLREID_REQUIRE(parts.empty(), ErrorKind::data, path, join(parts, " | "),
                 fmt::format("the {} tensors of this model", expected.size()),
                 "check the configuration against `vlreid inspect`");
}

} // namespace vlreid
