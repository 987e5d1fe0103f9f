// One table of learned words per identity between prefix and suffix: the common body of the plain prompt
// learners, which differ in the table's name only.
#pragma once

#include "vlreid/prompts/prompt_learner.h"

namespace vlreid {

// nullptr unless `state` has the table [I, k, D] under `name` and a sentence.
std::shared_ptr<PromptLearner> make_words(const StateDict& state, const std::string& name);

} // namespace vlreid
