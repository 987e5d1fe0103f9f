// The letters of every shape comment and every check_shape() in the project:
//
//     B  batch                     F  embedding (what is compared)       K  images per identity
//     H W  pixels, height width    T  text positions (77)                Q  queries
//     D  width of an encoder       N  tokens, class token included       G  gallery
//     E  shared space              P  patches                            R  rank of LoRA
//     I  identities                h  heads (D / 64)                     L  layers, or sentences in [L, 77]
#pragma once

#include <cstdint>

namespace vlreid {

constexpr std::int64_t kTextPositions = 77; // CLIP's context length
constexpr std::int64_t kHeadWidth = 64;     // every published CLIP has heads of this width

} // namespace vlreid
