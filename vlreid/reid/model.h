// The whole model: image encoder, and where the file has them text encoder, prompt learner, SIE table, necks
// and classifiers. Built from a StateDict of any family that weights/naming.h knows: OpenAI archives
// (zero-shot), CLIP-ReID, FT, Multimodal-ReID, baselines; ViT and ResNet. Sizes follow from the tensors; what
// they do not say comes from ReidOptions, and is an error when it stays open.
//
//     ReidModel model(load_weights("ViT-B-16_60.pth").state, {.image = {256, 128}}, "ViT-B-16_60.pth");
//     at::Tensor features = model.embed(images);   // [B, F] raw: normalise before comparing
//
// Parameter names are those of CLIP-ReID's checkpoints. embed() and its kin use the inference form, made at
// the first call or by prepare_inference(); they are thread safe afterwards. Training form and loading are
// not.
#pragma once

#include "vlreid/adapters/adapter.h"
#include "vlreid/encoders/image_encoder.h"
#include "vlreid/encoders/text.h"
#include "vlreid/prompts/prompt_learner.h"
#include "vlreid/weights/naming.h"

#include <c10/core/Device.h>
#include <mutex>

namespace vlreid {

enum class NeckFeature { before, after }; // TEST.NECK_FEAT

struct ReidOptions {
  std::optional<Grid> image = {}; // height and width in pixels; open: the published size that fits the file
  std::optional<std::int64_t> stride = {};   // of a ViT's patches; open: what fits image and file
  std::optional<PositionResize> resize = {}; // of a plain CLIP's table; open: bilinear
  // SIE: which of the two index the table `cv_embed`. With both, the row is camera * views + view.
  bool sie_camera = false;
  bool sie_view = false;
  double sie_coe = 3.0; // CLIP-ReID's default
  // Views of the training set: needed with both, since the table's rows alone do not say.
  std::optional<std::int64_t> views = {};
  NeckFeature neck = NeckFeature::before;
  AdapterOptions adapter = {};
  // PromptSRC's second encoder is kept, for training; nothing else reads it.
  bool keeps_frozen_encoder = false;
  InferenceType inference = {};
  // For inference alone: the model's tensors are those of the given weights, most often a mapped file, rather
  // than copies. Nothing may write to them.
  bool uses_weights_in_place = false;
};

// Scores and metric features of the training form; all raw.
struct TrainingOutput {
  at::Tensor score, score_proj; // [B, I]
  ImageFeatures features;
};

// The neck and classifier of one feature, children `bottleneck*` and `classifier*`.
struct Head {
  std::shared_ptr<BatchNorm> neck;
  std::shared_ptr<Linear> classifier;
};

// The words of the vocabulary, child `token_embedding`.
class TokenTable : public torch::nn::Module {
public:
  TokenTable(std::int64_t words, std::int64_t width);
  at::Tensor weight; // [V, D]
};

class ReidModel : public torch::nn::Module {
public:
  ReidModel(const StateDict& weights, ReidOptions options, const std::string& place);

  // Inference. images [B, 3, H, W] float32, normalised as the file's kind wants, or [B, H, W, 3] bytes, which
  // are normalised by pixels(); cameras, views [B] int64, needed with SIE only, best on the CPU: only there
  // are they compared with the table.
  at::Tensor embed(const at::Tensor& images, const at::Tensor& cameras = {},
                   const at::Tensor& views = {}); // [B, F] raw
  ImageFeatures image_features(const at::Tensor& images, const at::Tensor& cameras = {},
                               const at::Tensor& views = {});
  // What SIE adds to the class token, [B, D]; undefined without SIE.
  at::Tensor class_offset(const at::Tensor& cameras, const at::Tensor& views, std::int64_t batch) const;
  // embed() with that; reads nothing on the host.
  at::Tensor embed_with(const at::Tensor& images, const at::Tensor& class_offset);
  // What stage 1 compares with text: proj without SIE, [B, E] raw.
  at::Tensor project_images(const at::Tensor& images);
  // Makes the inference form from the present weights. Otherwise the first call of the above does; after
  // weights changed, call it.
  void prepare_inference();
  // Gives its memory back.
  void release_inference();
  // What images of bytes are normalised with: as the references do with the file's kind, unless set. Counts
  // from the next inference form on.
  const PixelStatistics& pixels() const { return pixels_; }
  void set_pixels(const PixelStatistics& pixels) { pixels_ = pixels; }

  // Training form, differentiable; train() or eval() of the module decides about the necks' statistics and
  // LoRA's dropout.
  TrainingOutput forward(const at::Tensor& images, const at::Tensor& cameras = {},
                         const at::Tensor& views = {});

  // `feature` with a share of Multimodal-ReID's adapter in it, as it is where the file has none.
  at::Tensor mixed(const at::Tensor& feature) const;
  // What PromptSRC's frozen encoder makes of the images, without gradients. REQUIRES: has_frozen_encoder().
  ImageFeatures frozen_features(const at::Tensor& images);
  // Features of identities (labels [B], best on the CPU; undefined: all), differentiable, [B, E] raw.
  // REQUIRES: has_prompts().
  at::Tensor encode_identities(const at::Tensor& labels);
  // The same of all identities without gradients, in parts.
  at::Tensor text_features();
  // Of sentences, tokens [L, 77] best on the CPU -> [L, E] raw, differentiable. REQUIRES:
  // has_token_embedding().
  at::Tensor encode_text(const at::Tensor& tokens);

  // Hard sharing (spec/multimodal.md, section 8): the model of a second training set, child `second`, gives
  // up its image encoder for this one's, and its text encoder unless it keeps that.
  void add_second(std::shared_ptr<ReidModel> second, bool keeps_text);
  // 0: this model; 1: the second. REQUIRES: that it is there.
  ReidModel& of_set(int set);
  bool has_second() const { return second_ != nullptr; }

  // Of training images, see ImageEncoder.
  void accept_other_sizes();
  void to_device(at::Device device);
  // Names as CLIP-ReID or, for files of Multimodal-ReID, as that has them. The tensors are the model's own.
  StateDict state() const;

  bool has_text() const { return text_encoder_ != nullptr; }
  bool has_prompts() const { return prompt_learner_ != nullptr && has_text(); }
  bool has_token_embedding() const { return token_embedding_ != nullptr && has_text(); }
  bool has_frozen_encoder() const { return frozen_encoder_ != nullptr; }
  bool has_heads() const { return heads_[0].neck != nullptr; }
  bool uses_sie() const { return cv_embed_.defined() && (options_.sie_camera || options_.sie_view); }
  bool is_resnet() const {
    return !image_encoder_->has_class_token();
  } // normalise images with ImageNet's mean instead of 0.5
  std::int64_t identities() const; // 0 when nothing in the file says
  std::int64_t cameras() const;    // rows of the SIE table for cameras, 0 without
  std::int64_t views() const;
  std::int64_t embedding_width() const {
    return image_encoder_->feature_width() + image_encoder_->embed_width();
  } // F
  Grid image_size() const { return *options_.image; }
  std::int64_t stride() const { return options_.stride.value_or(0); }
  Family family() const { return family_; }
  const ReidOptions& options() const { return options_; }
  ImageEncoder& image_encoder() { return *image_encoder_; }
  TextEncoder* text_encoder() { return text_encoder_.get(); }
  PromptLearner* prompt_learner() { return prompt_learner_.get(); }
  const Head& head() const { return heads_[0]; }                 // of `feature`
  const Head& head_proj() const { return heads_[1]; }            // of `proj`
  const at::Tensor& logit_scale() const { return logit_scale_; } // []; undefined when the file has none

private:
  void build(const StateDict& middle, const std::string& place);
  void build_heads(const StateDict& middle);
  void build_frozen_encoder(const StateDict& middle, const std::string& place);
  void check_sie(const std::string& place) const;
  std::shared_ptr<const ImageInference> inference();
  ImageFeatures features_with(const at::Tensor& images, const at::Tensor& class_offset);
  at::Tensor normed_by_neck(const Head& head, const at::Tensor& feature) const;

  ReidOptions options_;
  Family family_;
  std::shared_ptr<ImageEncoder> image_encoder_, frozen_encoder_;
  std::shared_ptr<TextEncoder> text_encoder_;
  std::shared_ptr<PromptLearner> prompt_learner_;
  std::array<Head, 2> heads_;
  std::array<std::shared_ptr<Linear>, 2> mixer_; // Multimodal-ReID's image adapter, null otherwise
  std::shared_ptr<ReidModel> second_;
  at::Tensor cv_embed_, logit_scale_;
  std::shared_ptr<TokenTable> token_embedding_; // part of plain CLIP files only, null otherwise
  std::shared_ptr<const ImageInference> inference_;
  PixelStatistics pixels_ = kVitPixels;
  std::mutex inference_mutex_;
};

} // namespace vlreid
