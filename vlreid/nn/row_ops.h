// What happens to rows between products on a CPU. On the calling thread.
#pragma once

#include "vlreid/products/products.h"

#include <cstdint>

namespace vlreid {

// LayerNorm of x [rows, width] to out [rows, width]; the two may be the same. weight, bias [width].
void layer_norm_rows(const float* x, std::int64_t rows, std::int64_t width, const float* weight,
                     const float* bias, float* out);

// Likewise rounded to bfloat16, with each row's mean and 1 / deviation [rows].
void layer_norm_rows(const float* x, std::int64_t rows, std::int64_t width, const float* weight,
                     const float* bias, Bf16* out, float* means, float* deviations);

// softmax(scale x) of each row of x [rows, width] in place, rows `stride` floats apart; scale > 0.
void softmax_rows(float* x, std::int64_t rows, std::int64_t width, std::int64_t stride, float scale = 1);

// The gradient of its x, in place of that of its values: both [rows, width], one row after the other.
void softmax_backward_rows(const float* values, float* gradient, std::int64_t rows, std::int64_t width,
                           float scale);

} // namespace vlreid
