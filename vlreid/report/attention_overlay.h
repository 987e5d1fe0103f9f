// A map of weights over the patches of a crop, drawn on the crop. Internal to the folder; pure.
#pragma once

#include "vlreid/image/image.h"
#include "vlreid/report/run_examples.h"

namespace vlreid {

// The crop darkened where the map is low and glowing where it is high; weights are scaled to the map's own
// range. REQUIRES: a map of at least one patch with height * width weights.
Image attention_overlay(const Image& crop, const AttentionMap& map);

} // namespace vlreid
