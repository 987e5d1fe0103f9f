#include "vlreid/prompts/words.h"

namespace vlreid {

std::shared_ptr<PromptLearner> make_ivlp(const StateDict& state) {
  return make_words(state, "ctx");
}

} // namespace vlreid
