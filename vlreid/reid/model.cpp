#include "vlreid/reid/model.h"

#include "vlreid/adapters/lora.h"
#include "vlreid/base/error.h"
#include "vlreid/base/memory.h"
#include "vlreid/encoders/clip.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/reid/geometry.h"
#include "vlreid/tensor/shape.h"
#include "vlreid/tensor/transfer.h"
#include "vlreid/tensor/untouched_zeros.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

namespace vlreid {
namespace {

constexpr double kMixedShare = 0.2; // of the image adapter in `feature` (spec/multimodal.md, section 5)
constexpr std::int64_t kIdentitiesAtOnce = 256;            // of one pass through the text encoder
constexpr const char* kFrozenEncoder = "ZS_image_encoder"; // PromptSRC's: only its training reads it

bool is_plain_clip(const StateDict& middle) {
  for (const auto& [name, tensor] : middle)
    if (name.starts_with("bottleneck") || name.starts_with("classifier") ||
        name.starts_with("prompt_learner."))
      return false;
  return middle.has("token_embedding.weight") && has_square_table(middle.below("visual."));
}

bool is_of_frozen_encoder(const std::string& name) {
  return name.starts_with(std::string(kFrozenEncoder) + ".");
}

constexpr const char* kSecond = "second"; // child: the model of the second set of hard sharing

// OpenAI's integers, which files carry beside the model, and the second model of hard sharing.
bool is_aside(const std::string& name) {
  return name.starts_with(std::string(kSecond) + ".") || name == "input_resolution" ||
         name == "context_length" || name == "vocab_size";
}

// The middle form of weights/naming.h under this model's names.
StateDict under_model_names(const StateDict& middle, const StateDict& text, bool keeps_frozen_encoder) {
  StateDict state;
  for (const auto& [name, tensor] : middle) {
    if (is_aside(name) || (is_of_frozen_encoder(name) && !keeps_frozen_encoder)) continue;
    if (name.starts_with("visual."))
      state.add("image_encoder." + name.substr(std::string("visual.").size()), tensor);
    else
      state.add(text.has(name) ? "text_encoder." + name : name, tensor);
  }
  return state;
}

StateDict with_table_for(const ImageEncoder& encoder, StateDict state, PositionResize kind) {
  for (const char* name :
       {"image_encoder.positional_embedding", "image_encoder.attnpool.positional_embedding"})
    if (const at::Tensor* table = state.find(name))
      state.set(name, resize_positions(*table, encoder.grid(), kind));
  return state;
}

} // namespace

TokenTable::TokenTable(std::int64_t words, std::int64_t width)
    : weight(register_parameter("weight", untouched_zeros({words, width}))) {}

ReidModel::ReidModel(const StateDict& weights, ReidOptions options, const std::string& place)
    : options_(std::move(options)), family_(detect_family(weights, place)) {
  build(to_openai(weights, family_, place), place);
}

void ReidModel::build(const StateDict& middle, const std::string& place) {
  const StateDict visual = middle.below("visual."), text = text_tower(middle);
  const bool is_plain = is_plain_clip(middle);
  const Geometry geometry = infer_geometry(
      visual, {.image = options_.image, .stride = options_.stride, .is_plain = is_plain}, place);
  options_.image = geometry.image;
  options_.stride = geometry.stride;

  const auto own_parameter = [&](const char* name, at::Tensor& member) {
    if (const at::Tensor* found = middle.find(name))
      member = register_parameter(name, at::zeros(found->sizes()));
  };
  own_parameter("logit_scale", logit_scale_);
  own_parameter("cv_embed", cv_embed_);
  build_heads(middle);
  image_encoder_ = register_module(
      "image_encoder",
      make_image_encoder(visual, {.image = geometry.image, .stride = geometry.stride}, place));
  pixels_ = is_resnet() ? kImageNetPixels : kVitPixels;
  if (Transformer* blocks = image_encoder_->transformer())
    apply_adapters(*blocks, visual.below("transformer."), options_.adapter, place);
  if (const StateDict prompts = middle.below("prompt_learner."); !prompts.empty())
    prompt_learner_ = register_module("prompt_learner", make_prompt_learner(prompts, place));
  if ((text_encoder_ = make_text_encoder(text))) {
    register_module("text_encoder", text_encoder_);
    apply_adapters(text_encoder_->blocks(), text.below("transformer."), options_.adapter, place);
  }
  if (const at::Tensor* table = middle.find("token_embedding.weight"); table != nullptr && table->dim() == 2)
    token_embedding_ =
        register_module("token_embedding", std::make_shared<TokenTable>(table->size(0), table->size(1)));
  if (options_.keeps_frozen_encoder) build_frozen_encoder(middle, place);

  StateDict state = under_model_names(middle, text, options_.keeps_frozen_encoder);
  if (is_plain) {
    const PositionResize kind = options_.resize.value_or(PositionResize::bilinear);
    state = with_table_for(*image_encoder_, std::move(state), kind);
  }
  if (options_.uses_weights_in_place && !options_.adapter.is_merged)
    adopt_state(*this, state, place);
  else
    load_module(*this, state, place);
  if (options_.adapter.is_merged) {
    if (Transformer* blocks = image_encoder_->transformer()) unmerge_lora(*blocks);
    if (text_encoder_) unmerge_lora(text_encoder_->blocks());
  }
  check_sie(place);
  eval();
}

void ReidModel::build_heads(const StateDict& middle) {
  const std::array<std::string, 2> suffixes = {"", "_proj"};
  for (std::size_t i = 0; i < 2; ++i)
    if (const at::Tensor* weight = middle.find("classifier" + suffixes[i] + ".weight");
        weight != nullptr && weight->dim() == 2)
      heads_[i].classifier =
          register_module("classifier" + suffixes[i],
                          std::make_shared<Linear>(
                              LinearShape{.in = weight->size(1), .out = weight->size(0), .has_bias = false}));
  for (std::size_t i = 0; i < 2; ++i)
    if (const at::Tensor* weight = middle.find("bottleneck" + suffixes[i] + ".weight"))
      heads_[i].neck =
          register_module("bottleneck" + suffixes[i], std::make_shared<BatchNorm>(weight->numel()));
  if (const at::Tensor* inner = middle.find("adapter.fc.0.weight"); inner != nullptr && inner->dim() == 2) {
    const auto list = register_module("adapter", std::make_shared<torch::nn::Module>())
                          ->register_module("fc", std::make_shared<torch::nn::Module>());
    const std::int64_t narrow = inner->size(0), wide = inner->size(1);
    mixer_[0] = list->register_module(
        "0", std::make_shared<Linear>(LinearShape{.in = wide, .out = narrow, .has_bias = false}));
    mixer_[1] = list->register_module(
        "2", std::make_shared<Linear>(LinearShape{.in = narrow, .out = wide, .has_bias = false}));
  }
}

void ReidModel::build_frozen_encoder(const StateDict& middle, const std::string& place) {
  const StateDict frozen = middle.below(std::string(kFrozenEncoder) + ".");
  if (frozen.empty()) return;
  const Geometry geometry = infer_geometry(frozen, {.image = options_.image, .stride = {}}, place);
  frozen_encoder_ = register_module(
      kFrozenEncoder,
      make_image_encoder(frozen, {.image = geometry.image, .stride = geometry.stride}, place));
}

void ReidModel::check_sie(const std::string& place) const {
  const bool asked = options_.sie_camera || options_.sie_view;
  if (!cv_embed_.defined()) {
    VLREID_REQUIRE(!asked || !has_heads(), ErrorKind::config, place,
                   "no cv_embed, the table of cameras or views",
                   "one, since MODEL.SIE_CAMERA or MODEL.SIE_VIEW is on", "switch both off");
    return;
  }
  const std::int64_t rows = cv_embed_.size(0);
  VLREID_REQUIRE(asked, ErrorKind::config, place, "cv_embed with " + std::to_string(rows) + " rows",
                 "to know whether they are cameras or views", "switch MODEL.SIE_CAMERA or MODEL.SIE_VIEW on");
  VLREID_REQUIRE(image_encoder_->has_class_token(), ErrorKind::config, place, "SIE with a ResNet",
                 "a ViT, which has a class token");
  if (!(options_.sie_camera && options_.sie_view)) return;
  VLREID_REQUIRE(options_.views && *options_.views > 0 && rows % *options_.views == 0, ErrorKind::config,
                 place, "cv_embed with " + std::to_string(rows) + " rows for cameras and views together",
                 "the number of views, which divides the rows",
                 "give the number of views of the training set");
}

at::Tensor ReidModel::class_offset(const at::Tensor& cameras, const at::Tensor& views,
                                   std::int64_t batch) const {
  if (!uses_sie()) return {};
  const auto require = [&](bool is_needed, const at::Tensor& numbers, const char* what) {
    VLREID_REQUIRE(!is_needed || numbers.defined(), ErrorKind::data, what, "no numbers for the images",
                   "one for each, since the model was trained with SIE", "use a data set that has them");
    if (is_needed) check_shape(numbers, {batch}, what);
  };
  require(options_.sie_camera, cameras, "cameras");
  require(options_.sie_view, views, "views");
  at::Tensor rows = options_.sie_camera ? cameras : views;
  if (options_.sie_camera && options_.sie_view) rows = cameras * *options_.views + views;
  const bool is_known =
      !rows.device().is_cpu() || rows.numel() == 0 ||
      (rows.min().item<std::int64_t>() >= 0 && rows.max().item<std::int64_t>() < cv_embed_.size(0));
  VLREID_REQUIRE(is_known, ErrorKind::data, "cameras or views",
                 "a number outside the table of " + std::to_string(cv_embed_.size(0)),
                 "numbers of the training set",
                 "SIE does not carry over to another data set: use weights without it");
  return options_.sie_coe * cv_embed_.index_select(0, on_device(rows, cv_embed_.device()));
}

at::Tensor ReidModel::mixed(const at::Tensor& feature) const {
  if (!mixer_[0]) return feature;
  return kMixedShare * mixer_[1]->forward(mixer_[0]->forward(feature).relu()).relu() +
         (1 - kMixedShare) * feature;
}

void ReidModel::prepare_inference() {
  const std::scoped_lock lock(inference_mutex_);
  inference_ = image_encoder_->make_inference(options_.inference, pixels_);
  for (const auto& [name, tensor] : state_of(*image_encoder_))
    if (tensor.is_cpu()) forget_file_pages(tensor.const_data_ptr(), tensor.nbytes());
}

void ReidModel::release_inference() {
  const std::scoped_lock lock(inference_mutex_);
  inference_.reset();
}

std::shared_ptr<const ImageInference> ReidModel::inference() {
  const std::scoped_lock lock(inference_mutex_);
  if (!inference_) inference_ = image_encoder_->make_inference(options_.inference, pixels_);
  return inference_;
}

ImageFeatures ReidModel::features_with(const at::Tensor& images, const at::Tensor& class_offset) {
  ImageFeatures features = inference()->forward(images, class_offset);
  features.feature = mixed(features.feature);
  return features;
}

ImageFeatures ReidModel::image_features(const at::Tensor& images, const at::Tensor& cameras,
                                        const at::Tensor& views) {
  const c10::NoGradGuard no_grad;
  return features_with(images, class_offset(cameras, views, images.size(0)));
}

at::Tensor ReidModel::normed_by_neck(const Head& head, const at::Tensor& feature) const {
  VLREID_REQUIRE(head.neck != nullptr, ErrorKind::config, "TEST.NECK_FEAT",
                 "'after' with weights that have no neck", "'before'");
  return head.neck->forward(feature);
}

at::Tensor ReidModel::embed(const at::Tensor& images, const at::Tensor& cameras, const at::Tensor& views) {
  const c10::NoGradGuard no_grad;
  return embed_with(images, class_offset(cameras, views, images.size(0)));
}

at::Tensor ReidModel::embed_with(const at::Tensor& images, const at::Tensor& class_offset) {
  const c10::NoGradGuard no_grad;
  const ImageFeatures features = features_with(images, class_offset);
  if (options_.neck == NeckFeature::before) return at::cat({features.feature, features.proj}, 1);
  return at::cat({normed_by_neck(heads_[0], features.feature), normed_by_neck(heads_[1], features.proj)}, 1);
}

at::Tensor ReidModel::project_images(const at::Tensor& images) {
  return inference()->forward(images, {}).proj;
}

TrainingOutput ReidModel::forward(const at::Tensor& images, const at::Tensor& cameras,
                                  const at::Tensor& views) {
  ImageFeatures features = image_encoder_->forward(images, class_offset(cameras, views, images.size(0)));
  features.feature = mixed(features.feature);
  VLREID_ASSERT(has_heads() && heads_[0].classifier && heads_[1].classifier);
  return {.score = heads_[0].classifier->forward(normed_by_neck(heads_[0], features.feature)),
          .score_proj = heads_[1].classifier->forward(normed_by_neck(heads_[1], features.proj)),
          .features = features};
}

ImageFeatures ReidModel::frozen_features(const at::Tensor& images) {
  VLREID_ASSERT(has_frozen_encoder());
  const c10::NoGradGuard no_grad;
  return frozen_encoder_->forward(images, {});
}

at::Tensor ReidModel::encode_identities(const at::Tensor& labels) {
  VLREID_REQUIRE(has_prompts(), ErrorKind::data, "text features", "weights without learned prompts",
                 "weights of stage 1 or 2 of a method with prompts");
  const at::Tensor features = text_encoder_->forward(prompt_learner_->forward(labels)); // [S I, E]
  const std::int64_t sentences = prompt_learner_->sentences();
  return sentences == 1 ? features : features.view({sentences, -1, features.size(1)}).mean(0);
}

at::Tensor ReidModel::text_features() {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> parts;
  const std::int64_t count = prompt_learner_ ? prompt_learner_->identities() : 1;
  for (std::int64_t begin = 0; begin < count; begin += kIdentitiesAtOnce)
    parts.push_back(
        encode_identities(at::arange(begin, std::min(count, begin + kIdentitiesAtOnce), at::kLong)));
  return at::cat(parts);
}

at::Tensor ReidModel::encode_text(const at::Tensor& tokens) {
  VLREID_REQUIRE(has_token_embedding(), ErrorKind::data, "text", "weights without a token embedding",
                 "weights of a plain CLIP");
  return text_encoder_->forward(prompt_of_tokens(tokens, token_embedding_->weight));
}

void ReidModel::accept_other_sizes() {
  image_encoder_->accept_other_sizes();
  if (frozen_encoder_) frozen_encoder_->accept_other_sizes();
}

void ReidModel::to_device(at::Device device) {
  to(device);
  release_inference();
}

void ReidModel::add_second(std::shared_ptr<ReidModel> second, bool keeps_text) {
  second->unregister_module("image_encoder");
  second->image_encoder_ = image_encoder_;
  if (!keeps_text) {
    second->unregister_module("text_encoder");
    second->text_encoder_ = text_encoder_;
  }
  second_ = register_module(kSecond, std::move(second));
}

ReidModel& ReidModel::of_set(int set) {
  VLREID_ASSERT(set == 0 || second_ != nullptr);
  return set == 0 ? *this : *second_;
}

StateDict ReidModel::state() const {
  StateDict state;
  const std::string prefix = std::string(kSecond) + ".";
  for (const auto& [name, tensor] : state_of(*this))
    if (!name.starts_with(prefix)) state.add(name, tensor);
  if (family_ == Family::mm) state = rename(state, Family::clip_reid, Family::mm, "model");
  if (second_)
    for (const auto& [name, tensor] : second_->state())
      state.add(prefix + name, tensor);
  return state;
}

std::int64_t ReidModel::identities() const {
  if (heads_[0].classifier) return heads_[0].classifier->shape().out;
  return prompt_learner_ ? prompt_learner_->identities() : 0;
}

std::int64_t ReidModel::cameras() const {
  if (!uses_sie() || !options_.sie_camera) return 0;
  return options_.sie_view ? cv_embed_.size(0) / *options_.views : cv_embed_.size(0);
}

std::int64_t ReidModel::views() const {
  if (!uses_sie() || !options_.sie_view) return 0;
  return options_.sie_camera ? *options_.views : cv_embed_.size(0);
}

} // namespace vlreid
