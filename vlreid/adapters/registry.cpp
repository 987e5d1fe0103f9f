#include "vlreid/adapters/adapter.h"

namespace vlreid {

const Registry<Adapter>& adapters() {
  static const Registry<Adapter> registry = [] {
    Registry<Adapter> made("adapter");
#define VLREID_BUILTIN(name, description) made.add(#name, apply_##name, description);
#include "vlreid/adapters/builtin.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

int apply_adapters(Transformer& transformer, const StateDict& state, const AdapterOptions& options,
                   const std::string& place) {
  int found = 0;
  for (const auto& [name, member] : adapters().members())
    found += member.factory(transformer, state, options, place) ? 1 : 0;
  return found;
}

} // namespace vlreid
