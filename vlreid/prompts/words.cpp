#include "vlreid/prompts/words.h"

#include "vlreid/prompts/sentence.h"

#include <ATen/ops/zeros.h>

namespace vlreid {
namespace {

class Words : public PromptLearner {
public:
  Words(const std::string& name, const at::Tensor& like, const Sentence& sentence) {
    words_ = register_parameter(name, at::zeros(like.sizes()));
    sentence_ = {register_buffer("token_prefix", sentence.prefix),
                 register_buffer("token_suffix", sentence.suffix)};
  }

  TextPrompt forward(const at::Tensor& labels) override {
    const at::Tensor words = rows_of(words_, labels);
    return fill_sentence(sentence_, words, labels, ends_.of(sentence_, words.size(1)));
  }
  std::int64_t identities() const override { return words_.size(0); }

private:
  at::Tensor words_; // [I, k, D]
  Sentence sentence_;
  SentenceEnds ends_;
};

} // namespace

std::shared_ptr<PromptLearner> make_words(const StateDict& state, const std::string& name) {
  const at::Tensor* words = state.find(name);
  if (words == nullptr || words->dim() != 3 || !has_sentence(state)) return nullptr;
  return std::make_shared<Words>(name, *words, sentence_like(state));
}

} // namespace vlreid
