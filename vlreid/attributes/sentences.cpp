#include "vlreid/attributes/sentences.h"

namespace vlreid {

const Registry<SentenceKind>& sentence_kinds() {
  static const Registry<SentenceKind> registry = [] {
    Registry<SentenceKind> made("kind of sentence");
#define VLREID_BUILTIN(name, description) made.add(#name, make_##name##_sentences, description);
#include "vlreid/attributes/builtin.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

} // namespace vlreid
