// Shape checks with the letters of dims.h. The first check that meets a letter binds it, later ones must
// agree:
//
//     ShapeLetters letters;
//     check_shape(images, {"B", 3, "H", "W"}, "images", letters);
//     check_shape(labels, {"B"}, "labels", letters);      // internal error: labels: [5] found; [B=4]
//     expected
//
// A mismatch is an internal error: shapes that come from files are checked where the file is read.
#pragma once

#include <ATen/core/TensorBase.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace vlreid {

// A number, a letter, or "*" for anything.
class Dim {
public:
  Dim(const char* letter) : letter_(letter) {}
  Dim(std::int64_t size) : size_(size) {}
  Dim(int size) : size_(size) {}

  std::string_view letter() const { return letter_; }
  std::int64_t size() const { return size_; }

private:
  std::string_view letter_;
  std::int64_t size_ = -1;
};

using ShapeLetters = std::map<std::string, std::int64_t, std::less<>>;

void check_shape(const at::TensorBase& x, std::initializer_list<Dim> expected, std::string_view what,
                 ShapeLetters& letters);
void check_shape(const at::TensorBase& x, std::initializer_list<Dim> expected, std::string_view what);

} // namespace vlreid
