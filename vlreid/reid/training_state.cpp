#include "vlreid/reid/training_state.h"

#include "vlreid/base/error.h"
#include "vlreid/base/strings.h"
#include "vlreid/encoders/clip.h"
#include "vlreid/encoders/image_encoder.h"
#include "vlreid/encoders/module_state.h"
#include "vlreid/text/templates.h"
#include "vlreid/text/tokenizer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace vlreid {
namespace {

constexpr double kClassifierDeviation = 0.001;
constexpr double kPromptDeviation = 0.02;
// Blocks 1..8, as far as there are so many, get vectors of their own (FT's depth 9).
constexpr std::int64_t kDeepBlocks = 8;

// The learned words by which a method's prompt learner is known.
const char* words_name(const std::string& prompt) {
  if (prompt == "ted") return "cls_vector";
  return prompt == "ivlp" || prompt == "promptsrc" ? "ctx" : "cls_ctx";
}

bool is_deep_prompt(const std::string& name) {
  return name.find("VPT") != std::string::npos;
}

StateDict middle_form(const StateDict& weights, const std::string& place) {
  return to_openai(weights, detect_family(weights, place), place);
}

bool is_text_name(const std::string& name) {
  return name.starts_with("transformer.") || name.starts_with("ln_final.") ||
         name == "positional_embedding" || name == "text_projection";
}

// Puts a model together in the middle form of weights/naming.h.
class Builder {
public:
  Builder(const StateDict& weights, const TrainingStateOptions& options, const std::string& place)
      : options_(options), place_(place), middle_(middle_form(weights, place)),
        visual_(middle_.below("visual.")),
        generator_(at::make_generator<at::CPUGeneratorImpl>(options.seed)) {}

  StateDict build() {
    VLREID_REQUIRE(!visual_.empty(), ErrorKind::data, place_, "no image encoder", "weights of a CLIP model");
    const Widths widths = this->widths();
    if (options_.sie_rows > 0)
      add("cv_embed", {options_.sie_rows, widths.feature},
          [&](at::IntArrayRef s) { return normal(s, 0.02); });
    add_head("", widths.feature);
    add_head("_proj", widths.proj);
    if (options_.adapts_feature) add_feature_adapter(widths.feature);
    add_encoder();
    if (options_.prompt != "none") {
      add_prompt();
      add_text();
    }
    if (options_.deep_prompts > 0) add_deep_prompts();
    if (options_.keeps_frozen_encoder) add_frozen_encoder();
    if (options_.uses_lora) add_lora();
    return rename(state_, Family::openai, options_.names, place_);
  }

private:
  struct Widths {
    std::int64_t feature, proj;
  };

  at::Tensor normal(at::IntArrayRef shape, double deviation) {
    return at::randn(shape, generator_, at::TensorOptions()) * deviation;
  }

  // Kaiming-uniform with a = sqrt(5): bounds +-1/sqrt(in).
  at::Tensor kaiming(std::int64_t rows, std::int64_t in) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    return (at::rand({rows, in}, generator_, at::TensorOptions()) * 2 - 1) * bound;
  }

  Widths widths() {
    const auto encoder =
        make_image_encoder(visual_, {.image = options_.image, .stride = options_.stride}, place_);
    return {encoder->feature_width(), encoder->embed_width()};
  }

  // What the file has under this name if the shape is right, else a new one.
  template <typename Make>
  void add(const std::string& name, std::vector<std::int64_t> shape, const Make& make) {
    const at::Tensor* found = middle_.find(name);
    if (found != nullptr && found->sizes() == at::IntArrayRef(shape)) {
      state_.add(name, *found);
      return;
    }
    VLREID_REQUIRE(found == nullptr || options_.replaces_other_sizes, ErrorKind::data, place_,
                   name + " for " + std::to_string(found == nullptr ? 0 : found->size(0)) + " entries",
                   std::to_string(shape[0]) + ", the size of this training set",
                   "use the data set that the file was trained on");
    state_.add(name, make(at::IntArrayRef(shape)));
  }

  void add_head(const std::string& suffix, std::int64_t width) {
    add("classifier" + suffix + ".weight", {options_.identities, width},
        [&](at::IntArrayRef s) { return normal(s, kClassifierDeviation); });
    const std::string neck = "bottleneck" + suffix + ".";
    for (const char* name : {"weight", "running_var"})
      add(neck + name, {width}, [](at::IntArrayRef s) { return at::ones(s); });
    for (const char* name : {"bias", "running_mean"})
      add(neck + name, {width}, [](at::IntArrayRef s) { return at::zeros(s); });
    add(neck + "num_batches_tracked", {}, [](at::IntArrayRef s) { return at::zeros(s, at::kLong); });
  }

  void add_encoder() {
    const auto encoder =
        make_image_encoder(visual_, {.image = options_.image, .stride = options_.stride}, place_);
    const std::string table = position_table_name(visual_);
    for (const auto& [name, tensor] : visual_) {
      if (options_.deep_prompts > 0 && is_deep_prompt(name)) continue;
      const bool is_other_grid = name == table && tensor.size(0) != 1 + encoder->grid().count();
      state_.add("visual." + name,
                 is_other_grid ? resize_positions(tensor.to(at::kFloat), encoder->grid(), options_.resize)
                               : tensor);
    }
  }

  void add_text() {
    VLREID_REQUIRE(middle_.has("text_projection"), ErrorKind::data, place_, "no text encoder",
                   "weights with one, since the prompts are learned through it");
    if (options_.keeps_logit_scale)
      add("logit_scale", {}, [](at::IntArrayRef s) { return at::ones(s) * std::log(1 / 0.07); });
    for (const auto& [name, tensor] : middle_)
      if (is_text_name(name) && (options_.deep_prompts == 0 || !is_deep_prompt(name)))
        state_.add(name, tensor);
  }

  // In and out without biases, a quarter as wide between (spec/multimodal.md, section 5).
  void add_feature_adapter(std::int64_t width) {
    const auto make = [&](at::IntArrayRef s) { return normal(s, kClassifierDeviation); };
    add("adapter.fc.0.weight", {width / 4, width}, make);
    add("adapter.fc.2.weight", {width, width / 4}, make);
  }

  // Tokens beside the patches, and in each block but the first of both encoders those that replace them.
  void add_deep_prompts() {
    const StateDict text = text_tower(state_);
    const std::int64_t blocks = count_blocks(visual_, "transformer.resblocks."), n = options_.deep_prompts;
    VLREID_REQUIRE(blocks > 0, ErrorKind::config, "MODEL.PROMPT",
                   "learned tokens in an encoder without transformer blocks", "a ViT");
    if (!options_.deep_prompt_weights.empty())
      for (const auto& [name, tensor] : middle_form(options_.deep_prompt_weights, "MODEL.VPT_PATH"))
        if (is_deep_prompt(name) && tensor.size(0) == n) middle_.set(name, tensor);
    add_deep_prompt("visual.VPT", n, visual_.at("class_embedding").size(0));
    for (std::int64_t i = 1; i < blocks; ++i)
      add_deep_prompt("visual." + deep_prompt_name(i), n, visual_.at("class_embedding").size(0));
    if (options_.prompt == "ted") return; // which has words of its own in every block
    for (std::int64_t i = 1; i < count_blocks(text, "transformer.resblocks."); ++i)
      add_deep_prompt(deep_prompt_name(i), n, text.at("text_projection").size(0));
  }

  static std::string deep_prompt_name(std::int64_t block) {
    return "transformer.resblocks." + std::to_string(block) + ".VPT_shallow";
  }

  void add_deep_prompt(const std::string& name, std::int64_t count, std::int64_t width) {
    add(name, {count, width}, [&](at::IntArrayRef s) { return normal(s, kPromptDeviation); });
  }

  void add_frozen_encoder() {
    const std::string prefix = "ZS_image_encoder.";
    if (const StateDict stored = middle_.below(prefix); !stored.empty()) {
      for (const auto& [name, tensor] : stored)
        state_.add(prefix + name, tensor);
      return;
    }
    const StateDict source = options_.frozen_weights.empty()
                                 ? visual_
                                 : middle_form(options_.frozen_weights, "MODEL.FROZEN_PATH").below("visual.");
    const auto encoder = make_image_encoder(
        source, {.image = options_.image, .stride = options_.frozen_stride}, "MODEL.FROZEN_PATH");
    VLREID_REQUIRE(encoder->has_class_token(), ErrorKind::config, "MODEL.FROZEN_PATH", "a ResNet", "a ViT");
    for (const auto& [name, tensor] : source)
      if (!is_deep_prompt(name))
        state_.add(prefix + name,
                   name == "positional_embedding"
                       ? resize_positions(tensor.to(at::kFloat), encoder->grid(), options_.resize)
                       : tensor);
  }

  void add_prompt() {
    const StateDict stored = middle_.below("prompt_learner.");
    const char* words = words_name(options_.prompt);
    if (stored.has(words) && !middle_.has("token_embedding.weight")) return keep_prompt(stored);
    VLREID_REQUIRE(middle_.has("token_embedding.weight"), ErrorKind::data, place_, "no token embedding",
                   "plain CLIP weights, or a checkpoint with learned prompts",
                   "set MODEL.PRETRAIN_PATH to the CLIP weights");
    const SentenceTemplate& sentence = sentence_template(options_.prompt);
    const at::Tensor embedded = embed(sentences_of(sentence)); // [S, T, D]
    const std::int64_t learned = sentence.shared + sentence.own, width = embedded.size(2);
    const std::string several = sentence.sentences.size() > 1 ? "es" : "";
    state_.add("prompt_learner.token_prefix" + several, embedded.slice(1, 0, sentence.prefix));
    state_.add("prompt_learner.token_suffix" + several, embedded.slice(1, sentence.prefix + learned));
    const std::vector<std::int64_t> own = {options_.identities, sentence.own, width};
    if (sentence.shared == 0) return add_words(words, own);
    add_words("cls_ctx_per_id", own);
    add_words(words, {sentence.shared, width});
    const std::int64_t text_blocks = count_blocks(text_tower(middle_), "transformer.resblocks.");
    for (std::int64_t i = 0; i < std::min(kDeepBlocks, text_blocks - 1); ++i) {
      add_words("compound_prompts_text." + std::to_string(i), {sentence.shared, width});
      add_words("compound_per_id_prompts_text." + std::to_string(i), own);
    }
  }

  std::vector<std::string> sentences_of(const SentenceTemplate& sentence) const {
    std::vector<std::string> all;
    for (const std::string& word : options_.words)
      for (const std::string& filled : fill(sentence, word))
        all.push_back(filled);
    return all;
  }

  void add_words(const std::string& name, const std::vector<std::int64_t>& shape) {
    state_.add("prompt_learner." + name, normal(shape, kPromptDeviation));
  }

  void keep_prompt(const StateDict& stored) {
    for (const auto& [name, tensor] : stored) {
      const bool is_table = tensor.dim() == 3 && !name.starts_with("token_");
      VLREID_REQUIRE(!is_table || tensor.size(0) == options_.identities, ErrorKind::data, place_,
                     "prompts of " + std::to_string(tensor.size(0)) + " identities",
                     std::to_string(options_.identities) + ", as the training set has",
                     "use the data set of that run, or plain CLIP weights");
      state_.add("prompt_learner." + name, tensor);
    }
  }

  at::Tensor embed(const std::vector<std::string>& sentences) const {
    const at::Tensor table = middle_.at("token_embedding.weight").to(at::kFloat);
    const at::Tensor* positions = middle_.find("positional_embedding");
    const auto context = positions == nullptr ? kContextLength : static_cast<int>(positions->size(0));
    VLREID_REQUIRE(table.dim() == 2 && table.size(0) >= kVocabularySize, ErrorKind::data, place_,
                   "a token embedding of another vocabulary", "CLIP's 49408 words");
    std::vector<std::int64_t> ids;
    for (const std::string& sentence : sentences) {
      const TokenRow row = clip_tokenizer().tokenize(sentence, {.context_length = context});
      ids.insert(ids.end(), row.ids.begin(), row.ids.end());
    }
    return at::embedding(table, at::tensor(ids, at::kLong).view({-1, context}));
  }

  void add_lora() {
    const auto depth = [](const StateDict& state) { return count_blocks(state, "transformer.resblocks."); };
    VLREID_REQUIRE(depth(visual_) > 0, ErrorKind::config, "MODEL.USE_LORA",
                   "an encoder without transformer blocks", "a ViT");
    const std::string& encoder = options_.lora_encoder;
    if (encoder != "text")
      adapt("visual.", lora_blocks(options_.lora_position, depth(visual_), false), options_.lora_projections);
    if (encoder == "vision" || options_.prompt == "none") return;
    std::vector<std::string> projections = options_.lora_projections;
    std::erase(projections, "mlp"); // COMPAT: FT adapts the MLP of the vision side only
    adapt("", lora_blocks(options_.lora_position, depth(text_tower(middle_)), true), projections);
  }

  void adapt(const std::string& tower, const std::vector<std::int64_t>& blocks,
             const std::vector<std::string>& projections) {
    const auto wants = [&](const char* name) {
      return std::ranges::find(projections, name) != projections.end();
    };
    for (const std::int64_t block : blocks) {
      const std::string prefix = tower + "transformer.resblocks." + std::to_string(block) + ".";
      if (state_.has(prefix + "attn.in_proj_weight")) split_attention(prefix + "attn.");
      for (const auto& [name, wanted] : {std::pair{"q_proj", wants("q")},
                                         {"k_proj", wants("k")},
                                         {"v_proj", wants("v")},
                                         {"proj", wants("o")}})
        if (wanted) add_pair(prefix + "attn." + name);
      if (wants("mlp"))
        for (const char* name : {"mlp.c_fc", "mlp.c_proj"})
          add_pair(prefix + name);
    }
  }

  void split_attention(const std::string& attn) {
    StateDict next;
    const std::array<const char*, 3> parts = {"q_proj", "k_proj", "v_proj"};
    for (const auto& [name, tensor] : state_) {
      if (!name.starts_with(attn)) {
        next.add(name, tensor);
        continue;
      }
      const std::string field = name.substr(name.rfind('_') + 1); // weight or bias
      if (name.starts_with(attn + "in_proj_")) {
        const std::int64_t width = tensor.size(0) / 3;
        for (std::int64_t i = 0; i < 3; ++i)
          next.add(attn + parts[static_cast<std::size_t>(i)] + "." + field,
                   tensor.slice(0, i * width, (i + 1) * width));
      } else {
        next.add(attn + "proj" + name.substr(name.rfind('.')), tensor);
      }
    }
    state_ = std::move(next);
  }

  void add_pair(const std::string& layer) {
    if (state_.has(layer + ".w_lora_A")) return;
    const at::Tensor& weight = state_.at(layer + ".weight");
    state_.add(layer + ".w_lora_A", kaiming(options_.lora_rank, weight.size(1)));
    state_.add(layer + ".w_lora_B", at::zeros({weight.size(0), options_.lora_rank}));
  }

  const TrainingStateOptions& options_;
  const std::string& place_;
  StateDict middle_, visual_, state_;
  at::Generator generator_;
};

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = std::max<std::int64_t>(begin, 0); i < end; ++i)
    numbers.push_back(i);
  return numbers;
}

} // namespace

std::vector<std::int64_t> lora_blocks(const std::string& position, std::int64_t depth, bool is_text) {
  const std::int64_t third = depth / 3;
  // Of 12 blocks: bottom 0..3, mid 4..7, up 8..11, half-bottom 0..5, half-up 6..11.
  const std::map<std::string, std::vector<std::int64_t>> known = {
      {"all", range(0, depth)},
      {"top", range(depth - 1, depth)},
      {"top1", range(depth - 1, depth)},
      {"top2", range(depth - 2, depth)},
      {"top3", range(depth - 3, depth)},
      {"bottom", range(0, third)},
      {"mid", range(third, 2 * third)},
      {"up", range(depth - third, depth)},
      {"half-up", range(depth / 2, depth)},
      {"half-bottom", range(0, depth / 2)},
  };
  const auto found = known.find(position);
  const bool is_known = found != known.end() && (is_text || (position != "top1" && position != "top2"));
  VLREID_REQUIRE(is_known, ErrorKind::config, "position",
                 "'" + position + "' for the " + (is_text ? "text" : "vision") + " side",
                 "all, top, top3, bottom, mid, up, half-up or half-bottom; text also top1 and top2");
  return found->second;
}

StateDict training_state(const StateDict& weights, const TrainingStateOptions& options,
                         const std::string& place) {
  return Builder(weights, options, place).build();
}

} // namespace vlreid
