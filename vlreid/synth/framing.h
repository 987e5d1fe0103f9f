// Boxes on the image plane: what a detector would cut out, and how it misses.
#pragma once

#include "vlreid/synth/render.h"

namespace vlreid {

// Around every vertex of the mesh, larger by `margin` (a share of its size) on each side.
Frame bounding_frame(const Mesh& mesh, const View& view, float margin);

// Shifted by shares of its size, scaled about its middle.
Frame moved(const Frame& frame, float across, float down, float scale);

} // namespace vlreid
