// The passes of a transformer block as differentiable operators that keep little for the backward pass: the
// normalised activations and the activation of the MLP are made again from what is kept anyway, gradients of
// frozen weights are not computed, and large batches go through the MLP in parts that stay in the cache.
// Values and gradients are those of the plain composition; under autocast the products run in its type. Any
// device; thread safe.
//
// Letters as in attention.h; M rows of any number of leading dimensions.
#pragma once

#include "vlreid/nn/layers.h"

namespace vlreid {

// linear(norm(x)): x [..., D] -> [..., out]. Keeps x.
at::Tensor norm_linear(const at::Tensor& x, const LayerNorm& norm, const at::Tensor& weight,
                       const at::Tensor& bias);

// Queries, keys and values [B, N, 3D] side by side -> softmax(QK^T / sqrt(d) + mask) V [B, N, D]. `mask` is
// [N, N], or undefined. Keeps its input and its output. REQUIRES: a CPU.
at::Tensor attend_packed(const at::Tensor& packed, std::int64_t heads, const at::Tensor& mask);

// x + layer(y) with a plain layer. Keeps y if the layer's weight learns.
at::Tensor add_linear(const at::Tensor& x, const at::Tensor& y, const Linear& layer);

// x + proj(quick_gelu(fc(norm(x)))) with plain layers. Keeps x and, with `keeps_hidden`, the product of fc,
// which is made again otherwise.
at::Tensor add_mlp(const at::Tensor& x, const LayerNorm& norm, const Linear& fc, const Linear& proj,
                   bool keeps_hidden);

// x sigmoid(1.702 x). Keeps x.
at::Tensor quick_gelu(const at::Tensor& x);

// The type that products run in: x's, or that of autocast.
at::ScalarType product_type(const at::Tensor& x);

} // namespace vlreid
