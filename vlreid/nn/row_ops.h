// What the inference form on a CPU does to rows between its products. On the calling thread.
#pragma once

#include <cstdint>

namespace vlreid {

// LayerNorm of x [rows, width] to out [rows, width]; the two may be the same. weight, bias [width].
void layer_norm_rows(const float* x, std::int64_t rows, std::int64_t width, const float* weight,
                     const float* bias, float* out);

// softmax of each row of x [rows, width] in place, rows `stride` floats apart.
void softmax_rows(float* x, std::int64_t rows, std::int64_t width, std::int64_t stride);

} // namespace vlreid
