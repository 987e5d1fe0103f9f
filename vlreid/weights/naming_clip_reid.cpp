#include "vlreid/weights/naming_tables.h"

#include <array>

namespace vlreid {

// CLIP-ReID and FT. Classifiers, bottlenecks, prompt learner and SIE table have the same names in the middle
// form.
std::span<const NameRule> clip_reid_names() {
  static constexpr std::array<NameRule, 5> kRules{
      {{"image_encoder.*", "visual.*"},
       {"text_encoder.transformer.*", "transformer.*"},
       {"text_encoder.positional_embedding", "positional_embedding"},
       {"text_encoder.ln_final.*", "ln_final.*"},
       {"text_encoder.text_projection", "text_projection"}}};
  return kRules;
}

} // namespace vlreid
