// LoRA (Hu et al. 2021) as FT has it (spec/reference-behaviour.md, section 4): y = W x + b + scale * B A
// dropout(x), scale = alpha / sqrt(R). A block with any of q, k, v, o has the split attention layout. The
// module always holds the unmerged W; an inference form takes W + scale * B A from effective_weight(), and
// forward() does the same while evaluating. The training form keeps its input alone for the backward pass:
// the dropout's choices follow from a seed that is drawn from the device's generator.
#pragma once

#include "vlreid/adapters/adapter.h"
#include "vlreid/nn/layers.h"
#include "vlreid/nn/low_rank.h"

namespace vlreid {

class LoraLinear : public Linear {
public:
  LoraLinear(LinearShape shape, std::int64_t rank, const AdapterOptions& options);

  at::Tensor forward(const at::Tensor& x) override;
  at::Tensor effective_weight() const override;
  bool is_plain() const override { return false; }
  double scale() const { return scale_; }
  // The training form with the dropout's next choices.
  LowRankLayer drawn() const;

  at::Tensor w_lora_A; // [R, in]
  at::Tensor w_lora_B; // [out, R]

private:
  double scale_;
  double dropout_;
};

// Takes scale * B A out of the base weights of a transformer whose file was in the merged form.
void unmerge_lora(Transformer& transformer);

} // namespace vlreid
