#include "vlreid/prompts/prompt_learner.h"

#include "vlreid/encoders/module_state.h"

namespace vlreid {

const Registry<PromptLearnerFactory>& prompt_learners() {
  static const Registry<PromptLearnerFactory> registry = [] {
    Registry<PromptLearnerFactory> made("prompt learner");
#define VLREID_BUILTIN(name, description) made.add(#name, make_##name, description);
#include "vlreid/prompts/builtin.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

std::shared_ptr<PromptLearner> make_prompt_learner(const StateDict& state, const std::string& place) {
  for (const auto& [name, member] : prompt_learners().members())
    if (auto learner = member.factory(state)) {
      load_module(*learner, state, place);
      return learner;
    }
  fail(ErrorKind::data, {.place = place,
                         .found = "a prompt learner with unknown names",
                         .expected = "the tensors of one of: " + join(prompt_learners().names(), ", "),
                         .remedy = "run inspect on the file"});
}

} // namespace vlreid
