#include "vlreid/encoders/vit.h"

#include "vlreid/tensor/shape.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>

namespace vlreid {
namespace {

// On a CPU a batch is worked off in parts of about this many tokens: 16 images of 256x128. The widest
// activation [tokens, 4D] of ViT-B then takes 25 MB, which the allocator keeps, and larger products are not
// faster.
constexpr std::int64_t kTokensAtOnce = 2064;

at::Tensor own(const at::Tensor& x) {
  return x.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
}

class VitInference : public ImageInference {
public:
  VitInference(const VisionTransformer& vit, InferenceType type)
      : shape_(vit.shape()), accepts_other_sizes_(vit.accepts_other_sizes()),
        patch_weight_(own(vit.conv1->weight).flatten(1)),
        patch_product_(patch_weight_, {}, {.type = type.type}), class_token_(own(vit.class_embedding)),
        positions_(own(vit.positional_embedding)), projection_(own(vit.proj)),
        ln_pre_{own(vit.ln_pre->weight), own(vit.ln_pre->bias)},
        ln_post_{own(vit.ln_post->weight), own(vit.ln_post->bias)}, blocks_(*vit.blocks, type), type_(type) {
    if (vit.VPT.defined()) prompt_ = own(vit.VPT);
  }

  ImageFeatures forward(const at::Tensor& images, const at::Tensor& class_offset) const override {
    const c10::NoGradGuard no_grad;
    check_shape(images, {"B", 3, "H", "W"}, "images");
    const std::int64_t batch = images.size(0);
    const std::int64_t part =
        images.device().is_cpu() ? std::max<std::int64_t>(1, kTokensAtOnce / tokens(grid_of(images))) : batch;
    if (batch <= part) return forward_part(images, class_offset);
    std::vector<at::Tensor> last, feature, proj;
    for (std::int64_t begin = 0; begin < batch; begin += part) {
      const at::Tensor offset =
          class_offset.defined() ? class_offset.slice(0, begin, begin + part) : class_offset;
      const ImageFeatures features = forward_part(images.slice(0, begin, begin + part), offset);
      last.push_back(features.last);
      feature.push_back(features.feature);
      proj.push_back(features.proj);
    }
    return {.last = at::cat(last), .feature = at::cat(feature), .proj = at::cat(proj)};
  }

private:
  Grid grid_of(const at::Tensor& images) const {
    return accepts_other_sizes_ ? patch_grid({images.size(2), images.size(3)}, shape_.patch, shape_.stride)
                                : shape_.grid;
  }
  std::int64_t tokens(Grid grid) const { return 1 + grid.count() + shape_.visual_prompts; }

  ImageFeatures forward_part(const at::Tensor& images, const at::Tensor& class_offset) const {
    const ReadToken token = blocks_.read_first_token(embed(images, class_offset));
    const at::Tensor feature = at::layer_norm(token.after_last_block, {shape_.width}, ln_post_.weight,
                                              ln_post_.bias, kLayerNormEpsilon);
    return {.last = token.before_last_block, .feature = feature, .proj = at::mm(feature, projection_)};
  }

  // The convolution as one product: rows are patches [B*P, 3*p*p].
  at::Tensor patches(const at::Tensor& images) const {
    const at::Tensor windows = images.unfold(2, shape_.patch, shape_.stride)
                                   .unfold(3, shape_.patch, shape_.stride); // [B, 3, h, w, p, p]
    const Grid grid = grid_of(images);
    check_shape(windows, {"B", 3, grid.height, grid.width, shape_.patch, shape_.patch},
                "patches of the images");
    const at::Tensor rows = windows.permute({0, 2, 3, 1, 4, 5}).reshape({-1, patch_weight_.size(1)});
    return patch_product_.forward(rows.to(type_.type)).view({images.size(0), -1, shape_.width});
  }

  at::Tensor embed(const at::Tensor& images, const at::Tensor& class_offset) const {
    const at::Tensor pixels = patches(images);
    const Grid grid = grid_of(images);
    const at::Tensor positions = positions_for(positions_, shape_, grid);
    at::Tensor x = at::empty({images.size(0), tokens(grid), shape_.width}, positions.options());
    const at::Tensor first = x.select(1, 0);
    first.copy_(class_token_ + positions[0]);
    if (class_offset.defined()) first.add_(class_offset);
    const at::Tensor rest = x.slice(1, 1, 1 + pixels.size(1));
    rest.copy_(pixels).add_(positions.slice(0, 1));
    if (prompt_.defined()) x.slice(1, 1 + pixels.size(1)).copy_(prompt_);
    at::Tensor rows = x.view({-1, shape_.width});
    return add_layer_norm(rows, {}, {}, ln_pre_, at::kFloat).view(x.sizes());
  }

  VitShape shape_;
  bool accepts_other_sizes_;
  at::Tensor patch_weight_; // [D, 3*p*p]
  PackedLinear patch_product_;
  at::Tensor class_token_, positions_, projection_, prompt_;
  NormWeights ln_pre_, ln_post_;
  PackedTransformer blocks_;
  InferenceType type_;
};

} // namespace

std::unique_ptr<ImageInference> VisionTransformer::make_inference(InferenceType type) {
  const c10::NoGradGuard no_grad;
  return std::make_unique<VitInference>(*this, type);
}

} // namespace vlreid
