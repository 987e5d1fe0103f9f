// Linear layers with a low-rank correction, W x + b + scale * B A dropout(x), as one differentiable operator
// over several layers that share their input: it keeps the input alone, before a LayerNorm where there is
// one, and makes the rest again. Values and gradients are those of the plain composition; under autocast the
// products run in its type. CPU; thread safe.
#pragma once

#include "vlreid/nn/fused.h"
#include "vlreid/nn/layers.h"

#include <span>

namespace vlreid {

struct LowRankLayer {
  at::Tensor weight, bias; // W [out, in], b [out]
  at::Tensor a, b;         // A [R, in], B [out, R]; undefined in a layer without correction
  double scale = 0;
  DropoutKey dropout = {}; // probability 0: none
};

// x [..., in] -> [..., sum of out], the layers' results side by side; of norm(x) where `norm` is not null.
at::Tensor low_rank_linear(const at::Tensor& x, const LayerNorm* norm, std::span<const LowRankLayer> layers);

} // namespace vlreid
