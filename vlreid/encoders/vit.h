// CLIP's vision transformer: patches by a convolution, class token, positional embedding, ln_pre, blocks,
// ln_post, projection. With IVLP, n learned tokens (`VPT`) follow the patches and blocks 1.. replace them by
// their own (spec/multimodal.md, section 4).
#pragma once

#include "vlreid/encoders/image_encoder.h"

namespace vlreid {

struct VitShape {
  std::int64_t width;  // D
  std::int64_t layers; // L
  std::int64_t heads;  // D / 64
  std::int64_t patch;
  std::int64_t stride;
  std::int64_t embed; // E
  Grid grid;
  std::int64_t visual_prompts = 0; // n of IVLP
};

// Every token's output, for comparison and for attention maps.
struct TokenFeatures {
  at::Tensor last;    // [B, N, D] before the last block
  at::Tensor feature; // [B, N, D] after ln_post
  at::Tensor proj;    // [B, N, E]
};

class VisionTransformer : public ImageEncoder {
public:
  explicit VisionTransformer(const VitShape& shape);

  ImageFeatures forward(const at::Tensor& images, const at::Tensor& class_offset) override;
  TokenFeatures forward_tokens(const at::Tensor& images, const at::Tensor& class_offset = {});
  std::unique_ptr<ImageInference> make_inference(InferenceType type, const PixelStatistics& pixels) override;

  std::int64_t feature_width() const override { return shape_.width; }
  std::int64_t embed_width() const override { return shape_.embed; }
  Grid grid() const override { return shape_.grid; }
  bool has_class_token() const override { return true; }
  void accept_other_sizes() override { accepts_other_sizes_ = true; }
  Transformer* transformer() override { return blocks.get(); }
  const VitShape& shape() const { return shape_; }
  bool accepts_other_sizes() const { return accepts_other_sizes_; }

  at::Tensor VPT;                  // [n, D] or undefined
  at::Tensor class_embedding;      // [D]
  at::Tensor positional_embedding; // [1 + P, D]
  at::Tensor proj;                 // [D, E]
  std::shared_ptr<Conv> conv1;
  std::shared_ptr<LayerNorm> ln_pre, ln_post;
  std::shared_ptr<Transformer> blocks; // child `transformer`

private:
  at::Tensor embed(const at::Tensor& images, const at::Tensor& class_offset); // [B, N, D]
  // Input of the last block, which has its prompt tokens put in.
  at::Tensor before_last_block(const at::Tensor& images, const at::Tensor& class_offset);
  at::Tensor with_prompt(const at::Tensor& x, const ResidualBlock& block) const;

  VitShape shape_;
  bool accepts_other_sizes_ = false;
};

// Rows of a table made for `shape` that an image of a grid needs, resized as Multimodal-ReID does; the table
// itself for its own grid.
at::Tensor positions_for(const at::Tensor& table, const VitShape& shape, Grid grid);

} // namespace vlreid
