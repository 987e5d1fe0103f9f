#include "vlreid/train/step.h"

namespace vlreid {

const Registry<StepFactory>& steps() {
  static const Registry<StepFactory> registry = [] {
    Registry<StepFactory> made("training step");
#define VLREID_BUILTIN(name, description) made.add(#name, make_##name##_step, description);
#include "vlreid/train/steps.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

} // namespace vlreid
