#include "vlreid/cli/verb.h"

namespace vlreid {

std::vector<Verb> all_verbs() {
  return {
#define VLREID_BUILTIN(name, summary) make_##name##_verb(summary),
#include "vlreid/cli/builtin.def"
#undef VLREID_BUILTIN
  };
}

} // namespace vlreid
