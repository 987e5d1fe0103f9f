#include "vlreid/prompts/prompt_learner.h"
#include "vlreid/prompts/sentence.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

namespace vlreid {
namespace {

// The same words in several sentences, whose fixed parts have names of their own: a table `token_prefix` with
// as many rows would be a sentence per identity.
class WordsInSentences : public PromptLearner {
public:
  WordsInSentences(const at::Tensor& words, const Sentence& sentences) {
    words_ = register_parameter("cls_ctx", at::zeros(words.sizes()));
    prefixes_ = register_buffer("token_prefixes", at::zeros(sentences.prefix.sizes()));
    suffixes_ = register_buffer("token_suffixes", at::zeros(sentences.suffix.sizes()));
  }

  TextPrompt forward(const at::Tensor& labels) override {
    const at::Tensor words = rows_of(words_, labels); // [B, k, D]
    TextPrompt all;
    std::vector<at::Tensor> embeddings;
    const std::vector<std::int64_t>& ends = ends_.of({prefixes_, suffixes_}, words.size(1));
    for (std::int64_t i = 0; i < sentences(); ++i) {
      const TextPrompt one = fill_sentence({prefixes_.slice(0, i, i + 1), suffixes_.slice(0, i, i + 1)},
                                           words, {}, {ends[static_cast<std::size_t>(i)]});
      embeddings.push_back(one.embeddings);
      all.end_positions.insert(all.end_positions.end(), one.end_positions.begin(), one.end_positions.end());
    }
    all.embeddings = at::cat(embeddings); // [S B, T, D]
    return all;
  }
  std::int64_t identities() const override { return words_.size(0); }
  std::int64_t sentences() const override { return prefixes_.size(0); }

private:
  at::Tensor words_;               // [I, k, D]
  at::Tensor prefixes_, suffixes_; // [S, p, D], [S, T - p - k, D]
  SentenceEnds ends_;
};

bool is_table(const at::Tensor* tensor) {
  return tensor != nullptr && tensor->dim() == 3;
}

} // namespace

std::shared_ptr<PromptLearner> make_coop_augmented(const StateDict& state) {
  const at::Tensor* words = state.find("cls_ctx");
  const at::Tensor* prefixes = state.find("token_prefixes");
  const at::Tensor* suffixes = state.find("token_suffixes");
  if (!is_table(words) || !is_table(prefixes) || !is_table(suffixes)) return nullptr;
  return std::make_shared<WordsInSentences>(*words, Sentence{*prefixes, *suffixes});
}

} // namespace vlreid
