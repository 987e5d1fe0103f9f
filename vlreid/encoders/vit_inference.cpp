#include "vlreid/encoders/vit.h"

#include "vlreid/base/thread_pool.h"
#include "vlreid/nn/pooled_product.h"
#include "vlreid/nn/product_type.h"
#include "vlreid/nn/row_ops.h"
#include "vlreid/tensor/shape.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <c10/core/GradMode.h>
#include <cstring>

namespace vlreid {
namespace {

// On a CPU a batch is worked off in parts of about this many tokens: 16 images of 256x128. The widest
// activation [tokens, 4D] of ViT-B then takes 25 MB, which the allocator keeps, and larger products are not
// faster.
constexpr std::int64_t kTokensAtOnce = 2064;

at::Tensor own(const at::Tensor& x) {
  return x.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
}

struct Norm {
  at::Tensor weight, bias; // [D]

  explicit Norm(const LayerNorm& norm) : weight(own(norm.weight)), bias(own(norm.bias)) {}

  at::Tensor forward(const at::Tensor& x) const {
    return at::layer_norm(x, {x.size(-1)}, weight, bias, kLayerNormEpsilon);
  }
  void in_place(float* x, std::int64_t rows) const {
    layer_norm_rows(x, rows, weight.size(0), weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), x);
  }
};

// Images [B, 3, H, W] -> what the blocks read [B, N, D]: class token, patches, prompt, with their positions
// and ln_pre.
class TokenEmbedding {
public:
  TokenEmbedding(const VisionTransformer& vit, InferenceType type)
      : shape_(vit.shape()), class_token_(own(vit.class_embedding)),
        positions_(own(vit.positional_embedding)), ln_pre_(*vit.ln_pre) {
    const at::Tensor weight = own(vit.conv1->weight).flatten(1); // [D, 3*p*p]
    if (vit.VPT.defined()) prompt_ = own(vit.VPT);
    if (weight.device().is_cpu())
      panels_ = pack_on_pool({weight.const_data_ptr<float>(), weight.size(0)}, weight.size(1),
                             product_type_of({.type = type.type}));
    else
      weight_ = weight.to(type.type);
  }

  at::Tensor forward(const at::Tensor& images, Grid grid, const at::Tensor& class_offset) const {
    const at::Tensor positions = positions_for(positions_, shape_, grid);
    const at::Tensor firsts = class_token_ + positions[0]; // [D]
    const at::Tensor first = class_offset.defined() ? (firsts + class_offset).contiguous() : firsts;
    return images.device().is_cpu() ? on_cpu(images.to(at::kFloat).contiguous(), grid, positions, first)
                                    : elsewhere(images, grid, positions, first);
  }

private:
  std::int64_t prompts() const { return prompt_.defined() ? prompt_.size(0) : 0; }

  // What one thread does at a time: some of the patches of an image, with the first also the other tokens.
  struct Part {
    const float* image;        // [3, H, W]
    float* x;                  // [N, D]
    std::int64_t first, count; // patches
  };

  at::Tensor on_cpu(const at::Tensor& images, Grid grid, const at::Tensor& positions,
                    const at::Tensor& first) const {
    const std::int64_t batch = images.size(0), patches = grid.count(), width = shape_.width;
    const std::int64_t tokens = 1 + patches + prompts(), pixels = images.stride(0);
    at::Tensor x = at::empty({batch, tokens, width}, images.options());
    const Strips strips = strips_for(patches, panels_);
    shared_pool().parallel_for(batch * strips.count(), 1, [&](std::size_t begin, std::size_t end, int) {
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
        const std::int64_t image = i / strips.count(), strip = i % strips.count();
        const Part part{.image = images.const_data_ptr<float>() + image * pixels,
                        .x = x.mutable_data_ptr<float>() + image * tokens * width,
                        .first = strips.begin(strip),
                        .count = strips.begin(strip + 1) - strips.begin(strip)};
        if (strip == 0) {
          const float* from = first.const_data_ptr<float>() + (first.dim() == 2 ? image * width : 0);
          std::memcpy(part.x, from, width * sizeof(float));
          ln_pre_.in_place(part.x, 1);
          if (prompt_.defined()) {
            float* place = part.x + (1 + patches) * width;
            std::memcpy(place, prompt_.const_data_ptr<float>(), prompt_.nbytes());
            ln_pre_.in_place(place, prompts());
          }
        }
        embed(part, grid, {images.size(2), images.size(3)}, positions);
      }
    });
    return x;
  }

  void embed(const Part& part, Grid grid, Grid image, const at::Tensor& positions) const {
    thread_local std::vector<float> pixels; // [patches, 3*p*p]
    thread_local PackedRows rows;
    const std::int64_t size = shape_.patch, width = shape_.width;
    pixels.resize(part.count * panels_.dims());
    float* to = pixels.data();
    for (std::int64_t patch = part.first; patch < part.first + part.count; ++patch) {
      const std::int64_t top = patch / grid.width * shape_.stride, left = patch % grid.width * shape_.stride;
      for (std::int64_t channel = 0; channel < 3; ++channel)
        for (std::int64_t y = 0; y < size; ++y, to += size)
          std::memcpy(to, part.image + (channel * image.height + top + y) * image.width + left,
                      size * sizeof(float));
    }
    float* x = part.x + (1 + part.first) * width;
    std::memcpy(x, positions.const_data_ptr<float>() + (1 + part.first) * width,
                part.count * width * sizeof(float));
    rows.load({pixels.data(), part.count}, panels_);
    multiply(rows, panels_, {0, width}, {.kind = Epilogue::Kind::add}, {x, width});
    ln_pre_.in_place(x, part.count);
  }

  at::Tensor elsewhere(const at::Tensor& images, Grid grid, const at::Tensor& positions,
                       const at::Tensor& first) const {
    const std::int64_t batch = images.size(0), width = shape_.width;
    const at::Tensor windows = images.unfold(2, shape_.patch, shape_.stride)
                                   .unfold(3, shape_.patch, shape_.stride); // [B, 3, h, w, p, p]
    check_shape(windows, {"B", 3, grid.height, grid.width, shape_.patch, shape_.patch},
                "patches of the images");
    const at::Tensor rows = windows.permute({0, 2, 3, 1, 4, 5}).reshape({-1, weight_.size(1)});
    const at::Tensor pixels = at::mm(rows.to(weight_.scalar_type()), weight_.t()).view({batch, -1, width});
    at::Tensor x = at::empty({batch, 1 + grid.count() + prompts(), width}, positions.options());
    x.select(1, 0).copy_(first);
    x.slice(1, 1, 1 + pixels.size(1)).copy_(pixels).add_(positions.slice(0, 1));
    if (prompt_.defined()) x.slice(1, 1 + pixels.size(1)).copy_(prompt_);
    return ln_pre_.forward(x);
  }

  VitShape shape_;
  Panels panels_;     // [D, 3*p*p] on a CPU
  at::Tensor weight_; // elsewhere
  at::Tensor class_token_, positions_, prompt_;
  Norm ln_pre_;
};

class VitInference : public ImageInference {
public:
  VitInference(const VisionTransformer& vit, InferenceType type)
      : shape_(vit.shape()), accepts_other_sizes_(vit.accepts_other_sizes()), embedding_(vit, type),
        projection_(vit.proj.detach().t(), {}, {}), ln_post_(*vit.ln_post), blocks_(*vit.blocks, type) {}

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
    const ReadToken token =
        blocks_.read_first_token(embedding_.forward(images, grid_of(images), class_offset));
    const at::Tensor feature = ln_post_.forward(token.after_last_block);
    return {.last = token.before_last_block, .feature = feature, .proj = projection_.forward(feature)};
  }

  VitShape shape_;
  bool accepts_other_sizes_;
  TokenEmbedding embedding_;
  PackedLinear projection_; // float32 always
  Norm ln_post_;
  PackedTransformer blocks_;
};

} // namespace

std::unique_ptr<ImageInference> VisionTransformer::make_inference(InferenceType type) {
  const c10::NoGradGuard no_grad;
  return std::make_unique<VitInference>(*this, type);
}

} // namespace vlreid
