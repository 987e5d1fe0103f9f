#include "vlreid/synth/framing.h"

namespace vlreid {

Frame bounding_frame(const Mesh& mesh, const View& view, float margin) {
  Frame box{1e9f, 1e9f, -1e9f, -1e9f};
  for (const Vertex& vertex : mesh.vertices) {
    const PlanePoint p = view.project(vertex.position);
    box = {std::min(box.left, p.x), std::min(box.top, p.y), std::max(box.right, p.x),
           std::max(box.bottom, p.y)};
  }
  return moved(box, 0, 0, 1 + 2 * margin);
}

Frame moved(const Frame& frame, float across, float down, float scale) {
  const float width = frame.right - frame.left, height = frame.bottom - frame.top;
  const float x = 0.5f * (frame.left + frame.right) + across * width;
  const float y = 0.5f * (frame.top + frame.bottom) + down * height;
  return {x - 0.5f * scale * width, y - 0.5f * scale * height, x + 0.5f * scale * width,
          y + 0.5f * scale * height};
}

} // namespace vlreid
