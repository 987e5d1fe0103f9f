// The image side of the model: images -> the three features of spec/reference-behaviour.md,
// section 1. A family (builtin.def): which member a StateDict belongs to, and its sizes, follow from names
// and shapes.
//
// Every encoder has a training form (the module: differentiable, parameter names of the checkpoints) and an
// inference form made from it, which later changes of the module do not reach. The inference form is thread
// safe.
#pragma once

#include "vlreid/base/registry.h"
#include "vlreid/image/pixel_statistics.h"
#include "vlreid/nn/packed.h"
#include "vlreid/nn/position.h"
#include "vlreid/weights/state_dict.h"

#include <memory>

namespace vlreid {

// All raw (not normalised), float32 in the inference form.
struct ImageFeatures {
  at::Tensor last;    // [B, D] before the last block (ViT), mean of layer3 (ResNet)
  at::Tensor feature; // [B, D]
  at::Tensor proj;    // [B, E]
};

class ImageInference {
public:
  virtual ~ImageInference() = default;
  // images [B, 3, H, W] float32, normalised, or [B, H, W, 3] uint8, which are normalised here; class_offset
  // [B, D] is added to the class token (SIE), or undefined.
  virtual ImageFeatures forward(const at::Tensor& images, const at::Tensor& class_offset) const = 0;
};

// Height and width of images of one of the two forms.
Grid pixels_of(const at::Tensor& images);
// Whether they are of the second.
inline bool are_bytes(const at::Tensor& images) {
  return images.scalar_type() == at::kByte;
}

class ImageEncoder : public torch::nn::Module {
public:
  // images [B, 3, H, W] float32
  virtual ImageFeatures forward(const at::Tensor& images, const at::Tensor& class_offset) = 0;
  // `pixels`: what images of bytes are normalised with.
  virtual std::unique_ptr<ImageInference> make_inference(InferenceType type,
                                                         const PixelStatistics& pixels) = 0;

  virtual std::int64_t feature_width() const = 0; // D
  virtual std::int64_t embed_width() const = 0;   // E
  virtual Grid grid() const = 0;                  // of patches, or of the last map
  virtual bool has_class_token() const = 0;       // SIE needs one
  // Images of other sizes pass too from now on, with the table resized to them; Error(config) by an encoder
  // that has no way to. Inference forms made later do the same.
  virtual void accept_other_sizes();
  // The transformer that adapters rewrite; nullptr when there is none.
  virtual Transformer* transformer() { return nullptr; }
};

struct ImageEncoderOptions {
  Grid image = {256, 128}; // pixels
  std::int64_t stride = 0; // of the ViT's patches; 0: the patch size
  // ResNet: layer4 keeps the resolution, as in ReID; plain CLIP halves it.
  bool keeps_resolution_in_layer4 = true;
};

// The member that `state` (names below the tower: "conv1.weight", ...) belongs to, with its sizes and zero
// weights; the positional embedding is made for options.image. `place` stands in messages. Throws
// ErrorKind::data when no member knows the names.
std::shared_ptr<ImageEncoder> make_image_encoder(const StateDict& state, const ImageEncoderOptions& options,
                                                 const std::string& place);

// Name of the table that has to be resized for another input ("positional_embedding",
// "attnpool.positional_embedding"), or empty.
std::string position_table_name(const StateDict& state);

// nullptr when `state` is another member's.
using ImageEncoderFactory = std::shared_ptr<ImageEncoder> (*)(const StateDict& state,
                                                              const ImageEncoderOptions& options);

#define VLREID_BUILTIN(name, description)                                                                    \
  std::shared_ptr<ImageEncoder> make_##name(const StateDict& state, const ImageEncoderOptions& options);
#include "vlreid/encoders/builtin.def"
#undef VLREID_BUILTIN

const Registry<ImageEncoderFactory>& image_encoders();

} // namespace vlreid
