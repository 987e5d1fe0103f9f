// Image -> Image of another size, byte for byte as Pillow's Image.resize: separable, support widened when
// shrinking (antialiased), coefficients rounded to 22 bits, horizontal pass first with 8-bit results, then
// vertical; a pass that changes nothing is skipped. Test recipes use bilinear, training recipes bicubic (a =
// -0.5); see reference-behaviour section 7. AVX2 when the processor has it, plain C++ otherwise, with the
// same bytes. A Resizer belongs to one thread.
#pragma once

#include "vlreid/image/image.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace vlreid {

enum class Filter { bilinear, bicubic };

// "bilinear" or "bicubic"; anything else is ErrorKind::config.
Filter parse_filter(std::string_view name);

struct ResizeOptions {
  int height = 256;
  int width = 128;
  Filter filter = Filter::bilinear;
};

enum class ResizePath { automatic, plain }; // plain: for tests of equality

// Keeps coefficient tables (per source and target size) and scratch, so that repeated use on one thread does
// not allocate.
class Resizer {
public:
  explicit Resizer(ResizePath path = ResizePath::automatic);
  Resizer(Resizer&&) noexcept;
  Resizer& operator=(Resizer&&) noexcept;
  ~Resizer();

  // REQUIRES: source not empty, target at least 1 x 1. `out` must not be `source`.
  void resize(const Image& source, const ResizeOptions& options, Image& out);

  // Row by row, for a consumer that wants each row while it is in the cache: start() does the horizontal
  // pass, row() gives one finished row of options.width * 3 bytes, valid until the next call. REQUIRES:
  // `source` outlives the row() calls.
  void start(const Image& source, const ResizeOptions& options);
  const std::uint8_t* row(int y);

private:
  struct State;
  std::unique_ptr<State> state_;
};

// One image, without keeping anything.
Image resize(const Image& source, const ResizeOptions& options);

} // namespace vlreid
