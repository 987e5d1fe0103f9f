#include "vlreid/weights/naming_tables.h"

#include <array>

namespace vlreid {

// What differs from clip_reid_names(), which are looked up afterwards.
std::span<const NameRule> mm_names() {
  static constexpr std::array<NameRule, 4> kRules{{{"vision_bottleneck.*", "bottleneck.*"},
                                                   {"vision_bottleneck_proj.*", "bottleneck_proj.*"},
                                                   {"vision_classifier.*", "classifier.*"},
                                                   {"vision_classifier_proj.*", "classifier_proj.*"}}};
  return kRules;
}

} // namespace vlreid
