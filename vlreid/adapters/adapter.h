// Adapters rewrite chosen projections of a transformer. A family (builtin.def); what a checkpoint carries
// follows from its names.
#pragma once

#include "vlreid/base/registry.h"
#include "vlreid/nn/transformer.h"
#include "vlreid/weights/state_dict.h"

#include <optional>
#include <string>

namespace vlreid {

struct AdapterOptions {
  // Of LoRA: scale = alpha / sqrt(rank). Not in any checkpoint, so whoever loads one with adapters has to say
  // it; 0 switches them off.
  std::optional<double> alpha;
  double dropout = 0;
  // The file holds the merged form: the base weights already contain scale * B A.
  bool is_merged = false;
};

// Rewrites the projections of `transformer` that `state` (names below "transformer.":
// "resblocks.0.attn.q_proj.w_lora_A") adapts; returns whether there were any. `place` stands in messages.
using Adapter = bool (*)(Transformer& transformer, const StateDict& state, const AdapterOptions& options,
                         const std::string& place);

#define VLREID_BUILTIN(name, description)                                                                    \
  bool apply_##name(Transformer& transformer, const StateDict& state, const AdapterOptions& options,         \
                    const std::string& place);
#include "vlreid/adapters/builtin.def"
#undef VLREID_BUILTIN

const Registry<Adapter>& adapters();

// Every member in turn; the number that found something.
int apply_adapters(Transformer& transformer, const StateDict& state, const AdapterOptions& options,
                   const std::string& place);

} // namespace vlreid
