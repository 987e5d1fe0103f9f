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
#include <ATen/ops/tensor.h>
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

// Eight bits on one scale are too few for a patch and its weights.
ProductType patch_product_type(InferenceType type) {
  return type.is_int8 ? attention_type(ProductType::int8) : product_type_of(type);
}

// The convolution of patches as a product with rows of pixels, in the order that the images have them.
struct PatchProduct {
  Panels panels;     // [D, pixels of a patch] on a CPU
  at::Tensor weight; // elsewhere
  at::Tensor offset; // [D], or undefined

  PatchProduct(const at::Tensor& rows, InferenceType type) {
    if (rows.device().is_cpu())
      panels =
          pack_on_pool({rows.const_data_ptr<float>(), rows.size(0)}, rows.size(1), patch_product_type(type));
    else
      weight = rows.to(type.type);
  }
};

// Of normalised floats, rows [3, p, p].
PatchProduct product_of_floats(const at::Tensor& weight, InferenceType type) {
  return {weight.flatten(1), type};
}

// Of bytes, rows [p, p, 3], with the normalisation folded in: weight / (255 std) and -weight mean / std.
PatchProduct product_of_bytes(const at::Tensor& weight, InferenceType type, const PixelStatistics& pixels) {
  const at::Tensor mean = at::tensor(pixels.mean).to(weight.device(), at::kDouble),
                   std = at::tensor(pixels.std).to(weight.device(), at::kDouble);
  const at::Tensor divided = weight.permute({0, 2, 3, 1}).to(at::kDouble) / std; // [D, p, p, 3]
  PatchProduct product((divided / 255).to(at::kFloat).contiguous().flatten(1), type);
  product.offset = -(divided * mean).sum({1, 2, 3}).to(at::kFloat);
  return product;
}

// Images, of floats or bytes -> what the blocks read [B, N, D]: class token, patches, prompt, with their
// positions and ln_pre.
class TokenEmbedding {
public:
  TokenEmbedding(const VisionTransformer& vit, InferenceType type, const PixelStatistics& pixels)
      : shape_(vit.shape()), floats_(product_of_floats(own(vit.conv1->weight), type)),
        bytes_(product_of_bytes(own(vit.conv1->weight), type, pixels)),
        class_token_(own(vit.class_embedding)), positions_(own(vit.positional_embedding)),
        ln_pre_(*vit.ln_pre) {
    if (vit.VPT.defined()) prompt_ = own(vit.VPT);
  }

  at::Tensor forward(const at::Tensor& images, Grid grid, const at::Tensor& class_offset) const {
    const PatchProduct& product = are_bytes(images) ? bytes_ : floats_;
    const at::Tensor positions = positions_for(positions_, shape_, grid);
    const at::Tensor firsts = class_token_ + positions[0]; // [D]
    const at::Tensor first = class_offset.defined() ? (firsts + class_offset).contiguous() : firsts;
    at::Tensor of_patches = positions.slice(0, 1); // [P, D]
    if (product.offset.defined()) of_patches = of_patches + product.offset;
    if (!images.device().is_cpu()) return elsewhere(images, product, grid, of_patches, first);
    return are_bytes(images)
               ? on_cpu<std::uint8_t>(images.contiguous(), product, grid, of_patches, first)
               : on_cpu<float>(images.to(at::kFloat).contiguous(), product, grid, of_patches, first);
  }

private:
  std::int64_t prompts() const { return prompt_.defined() ? prompt_.size(0) : 0; }

  // What one thread does at a time: some of the patches of an image, with the first also the other tokens.
  template <typename Number>
  struct Part {
    const Number* image;       // [3, H, W], bytes [H, W, 3]
    float* x;                  // [N, D]
    std::int64_t first, count; // patches
  };

  // positions [P, D], first [D] or [B, D]
  template <typename Number>
  at::Tensor on_cpu(const at::Tensor& images, const PatchProduct& product, Grid grid,
                    const at::Tensor& positions, const at::Tensor& first) const {
    const std::int64_t batch = images.size(0), patches = grid.count(), width = shape_.width;
    const std::int64_t tokens = 1 + patches + prompts(), pixels = images.stride(0);
    at::Tensor x = at::empty({batch, tokens, width}, at::kFloat);
    const Strips strips = strips_for(patches, product.panels);
    shared_pool().parallel_for(batch * strips.count(), 1, [&](std::size_t begin, std::size_t end, int) {
      for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
        const std::int64_t image = i / strips.count(), strip = i % strips.count();
        const Part<Number> part{.image = images.const_data_ptr<Number>() + image * pixels,
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
        embed(part, product, grid, pixels_of(images), positions);
      }
    });
    return x;
  }

  // A patch's pixels in the order of the image.
  float* gather(const float* image, Grid size, std::int64_t top, std::int64_t left, float* to) const {
    const std::int64_t patch = shape_.patch;
    for (std::int64_t channel = 0; channel < 3; ++channel)
      for (std::int64_t y = 0; y < patch; ++y, to += patch)
        std::memcpy(to, image + (channel * size.height + top + y) * size.width + left, patch * sizeof(float));
    return to;
  }
  float* gather(const std::uint8_t* image, Grid size, std::int64_t top, std::int64_t left, float* to) const {
    const std::int64_t patch = shape_.patch;
    for (std::int64_t y = 0; y < patch; ++y)
      to = std::copy_n(image + 3 * ((top + y) * size.width + left), 3 * patch, to);
    return to;
  }

  template <typename Number>
  void embed(const Part<Number>& part, const PatchProduct& product, Grid grid, Grid image,
             const at::Tensor& positions) const {
    thread_local std::vector<float> pixels; // [patches, 3*p*p]
    thread_local PackedRows rows;
    const std::int64_t width = shape_.width;
    pixels.resize(part.count * product.panels.dims());
    float* to = pixels.data();
    for (std::int64_t patch = part.first; patch < part.first + part.count; ++patch)
      to = gather(part.image, image, patch / grid.width * shape_.stride, patch % grid.width * shape_.stride,
                  to);
    float* x = part.x + (1 + part.first) * width;
    std::memcpy(x, positions.const_data_ptr<float>() + part.first * width,
                part.count * width * sizeof(float));
    rows.load({pixels.data(), part.count}, product.panels);
    multiply(rows, product.panels, {0, width}, {.kind = Epilogue::Kind::add}, {x, width});
    ln_pre_.in_place(x, part.count);
  }

  at::Tensor elsewhere(const at::Tensor& images, const PatchProduct& product, Grid grid,
                       const at::Tensor& positions, const at::Tensor& first) const {
    const std::int64_t batch = images.size(0), width = shape_.width, size = shape_.patch;
    const bool is_bytes = are_bytes(images);
    const std::int64_t top = is_bytes ? 1 : 2; // dimension of the height
    at::Tensor windows = images.unfold(top, size, shape_.stride).unfold(top + 1, size, shape_.stride);
    windows = is_bytes ? windows.permute({0, 1, 2, 4, 5, 3})  // of [B, h, w, 3, p, p]
                       : windows.permute({0, 2, 3, 1, 4, 5}); // of [B, 3, h, w, p, p]
    VLREID_ASSERT(windows.size(1) == grid.height && windows.size(2) == grid.width);
    const at::Tensor rows = windows.reshape({-1, product.weight.size(1)}).to(product.weight.scalar_type());
    const at::Tensor pixels = at::mm(rows, product.weight.t()).view({batch, -1, width});
    at::Tensor x = at::empty({batch, 1 + grid.count() + prompts(), width}, positions.options());
    x.select(1, 0).copy_(first);
    x.slice(1, 1, 1 + pixels.size(1)).copy_(pixels).add_(positions);
    if (prompt_.defined()) x.slice(1, 1 + pixels.size(1)).copy_(prompt_);
    return ln_pre_.forward(x);
  }

  VitShape shape_;
  PatchProduct floats_, bytes_;
  at::Tensor class_token_, positions_, prompt_;
  Norm ln_pre_;
};

class VitInference : public ImageInference {
public:
  VitInference(const VisionTransformer& vit, InferenceType type, const PixelStatistics& pixels)
      : shape_(vit.shape()), accepts_other_sizes_(vit.accepts_other_sizes()), embedding_(vit, type, pixels),
        projection_(vit.proj.detach().t(), {}, {}), ln_post_(*vit.ln_post), blocks_(*vit.blocks, type) {}

  ImageFeatures forward(const at::Tensor& images, const at::Tensor& class_offset) const override {
    const c10::NoGradGuard no_grad;
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
    return accepts_other_sizes_ ? patch_grid(pixels_of(images), shape_.patch, shape_.stride) : shape_.grid;
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

std::unique_ptr<ImageInference> VisionTransformer::make_inference(InferenceType type,
                                                                  const PixelStatistics& pixels) {
  const c10::NoGradGuard no_grad;
  return std::make_unique<VitInference>(*this, type, pixels);
}

} // namespace vlreid
