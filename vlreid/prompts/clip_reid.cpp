#include "vlreid/prompts/words.h"

namespace vlreid {

std::shared_ptr<PromptLearner> make_clip_reid(const StateDict& state) {
  return make_words(state, "cls_ctx");
}

} // namespace vlreid
