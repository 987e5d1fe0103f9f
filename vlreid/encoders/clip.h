// Both towers of a plain CLIP at the input size that it was trained with: zero-shot classification, and the
// base that other weights grow from. For ReID embeddings see reid/model.h.
#pragma once

#include "vlreid/encoders/image_encoder.h"
#include "vlreid/encoders/text.h"

namespace vlreid {

// The tensors of the text tower in a StateDict with OpenAI's names.
StateDict text_tower(const StateDict& openai);

class Clip {
public:
  // `openai`: OpenAI's names. The input size follows from the positional embedding. Errors as in
  // load_module().
  Clip(const StateDict& openai, const std::string& place);

  at::Tensor encode_images(const at::Tensor& images) const; // [B, 3, S, S] -> [B, E] raw
  at::Tensor encode_text(const at::Tensor& tokens) const;   // [L, 77] int64 -> [L, E] raw
  // exp(logit_scale): what cosines are multiplied by.
  double logit_scale() const { return logit_scale_; }
  std::int64_t image_size() const { return image_size_; }

private:
  std::int64_t image_size_ = 0;
  std::shared_ptr<ImageEncoder> image_;
  std::shared_ptr<TextEncoder> text_;
  at::Tensor token_embedding_; // [V, D]
  double logit_scale_ = 1;
};

} // namespace vlreid
