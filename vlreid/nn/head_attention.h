// The attention of the training form on packed products (products.h): each head of each sequence on one
// thread, its scores never in a tensor. Letters as in attention.h. No autograd; thread safe.
#pragma once

#include <ATen/Tensor.h>

namespace vlreid {

// Whether the functions below take `packed`, and are the faster way.
bool has_head_attention(const at::Tensor& packed);

// Queries, keys and values [B, N, 3D] side by side -> softmax(QK^T / sqrt(d) + mask) V [B, N, D]. `mask` is
// [N, N] float32, or undefined. Products in the type of `packed`, sums and softmax in float32.
at::Tensor head_attention(const at::Tensor& packed, std::int64_t heads, const at::Tensor& mask);

// The gradient [B, N, 3D] of `packed`, from that of the result, [B, N, D].
at::Tensor head_attention_backward(const at::Tensor& gradient, const at::Tensor& packed, std::int64_t heads,
                                   const at::Tensor& mask);

} // namespace vlreid
