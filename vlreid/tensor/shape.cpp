#include "vlreid/tensor/shape.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <vector>

namespace vlreid {
namespace {

std::string text_of(std::initializer_list<Dim> expected, const ShapeLetters& letters) {
  std::vector<std::string> sides;
  for (const Dim& dim : expected) {
    const auto bound = letters.find(dim.letter());
    if (dim.letter().empty())
      sides.push_back(std::to_string(dim.size()));
    else if (bound == letters.end())
      sides.emplace_back(dim.letter());
    else
      sides.push_back(fmt::format("{}={}", dim.letter(), bound->second));
  }
  return join(sides, ", ");
}

bool agrees(const Dim& dim, std::int64_t side, ShapeLetters& letters) {
  if (dim.letter().empty()) return dim.size() == side;
  if (dim.letter() == "*") return true;
  return letters.emplace(dim.letter(), side).first->second == side;
}

} // namespace

void check_shape(const at::TensorBase& x, std::initializer_list<Dim> expected, std::string_view what,
                 ShapeLetters& letters) {
  const ShapeLetters before = letters;
  bool is_right = x.defined() && x.dim() == static_cast<std::int64_t>(expected.size());
  std::int64_t i = 0;
  for (const Dim& dim : expected)
    is_right = is_right && agrees(dim, x.size(i++), letters);
  if (is_right) return;
  fail(ErrorKind::internal,
       {.place = std::string(what),
        .found = x.defined() ? fmt::format("shape [{}]", fmt::join(x.sizes(), ", ")) : "no tensor",
        .expected = fmt::format("[{}]", text_of(expected, before)),
        .remedy = "this is a bug of vlreid; please report it"});
}

void check_shape(const at::TensorBase& x, std::initializer_list<Dim> expected, std::string_view what) {
  ShapeLetters letters;
  check_shape(x, expected, what, letters);
}

} // namespace vlreid
