#include "vlreid/encoders/module_state.h"
#include "vlreid/prompts/prompt_learner.h"
#include "vlreid/prompts/sentence.h"
#include "vlreid/tensor/transfer.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

namespace vlreid {
namespace {

// Positions: prefix, shared words [n, D], per-identity words [I, m, D], suffix. The pair with index i
// overwrites them in block i + 1. COMPAT: the reference rounds the vectors of the blocks to half precision;
// here they stay float32.
class DeepWords : public PromptLearner {
public:
  DeepWords(const StateDict& state, std::int64_t depth) {
    per_identity_ = register_parameter("cls_ctx_per_id", at::zeros(state.at("cls_ctx_per_id").sizes()));
    shared_ = register_parameter("cls_vector", at::zeros(state.at("cls_vector").sizes()));
    const Sentence sentence = sentence_like(state);
    prefix_ = register_buffer("token_prefix", sentence.prefix);
    suffix_ = register_buffer("token_suffix", sentence.suffix);
    add_list("compound_prompts_text", depth, shared_, deep_shared_);
    add_list("compound_per_id_prompts_text", depth, per_identity_, deep_per_identity_);
  }

  TextPrompt forward(const at::Tensor& labels) override {
    const at::Tensor rows = labels.defined() ? on_device(labels, shared_.device()) : labels;
    const at::Tensor own = rows_of(per_identity_, rows);
    const at::Tensor shared = shared_.expand({own.size(0), shared_.size(0), shared_.size(1)});
    const Sentence sentence{prefix_, suffix_};
    TextPrompt prompt = fill_sentence(sentence, at::cat({shared, own}, 1), labels,
                                      ends_.of(sentence, shared.size(1) + own.size(1)));
    prompt.shared_positions += shared_.size(0);
    const std::int64_t begin = prefix_.size(1), middle = begin + shared_.size(0);
    for (std::size_t i = 0; i < deep_shared_.size(); ++i) {
      const auto block = static_cast<std::int64_t>(i) + 1;
      prompt.deep.push_back({.block = block, .position = begin, .vectors = deep_shared_[i].unsqueeze(0)});
      prompt.deep.push_back(
          {.block = block, .position = middle, .vectors = rows_of(deep_per_identity_[i], rows)});
    }
    return prompt;
  }
  std::int64_t identities() const override { return per_identity_.size(0); }

private:
  void add_list(const char* name, std::int64_t depth, const at::Tensor& like, std::vector<at::Tensor>& list) {
    const auto module = register_module(name, std::make_shared<torch::nn::Module>());
    for (std::int64_t i = 0; i < depth; ++i)
      list.push_back(module->register_parameter(std::to_string(i), at::zeros(like.sizes())));
  }

  at::Tensor per_identity_, shared_; // [I, m, D], [n, D]
  at::Tensor prefix_, suffix_;
  SentenceEnds ends_;
  std::vector<at::Tensor> deep_shared_, deep_per_identity_;
};

} // namespace

std::shared_ptr<PromptLearner> make_ted(const StateDict& state) {
  const at::Tensor* own = state.find("cls_ctx_per_id");
  const at::Tensor* shared = state.find("cls_vector");
  if (own == nullptr || shared == nullptr || own->dim() != 3 || shared->dim() != 2 || !has_sentence(state))
    return nullptr;
  return std::make_shared<DeepWords>(state, count_blocks(state, "compound_prompts_text."));
}

} // namespace vlreid
