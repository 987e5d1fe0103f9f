// Nearest-neighbour lists of all images of a re-ranking among themselves, exact, without the N x N matrix:
// tiles of distances are computed once for each pair of blocks (the matrix is symmetric) and offered to the
// lists of their rows and of their columns. Internal to retrieval. Threads inside; the lists do not depend on
// their number.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vlreid {

// Queries first, then the gallery, numbered through; compared as they are.
struct JointImages {
  std::span<const float> query;   // [Q, dims]
  std::span<const float> gallery; // [G, dims]
  std::int64_t dims = 0;

  std::int64_t queries() const { return static_cast<std::int64_t>(query.size()) / dims; }
  std::int64_t size() const { return queries() + static_cast<std::int64_t>(gallery.size()) / dims; }
  const float* row(std::int64_t image) const {
    return image < queries() ? query.data() + image * dims : gallery.data() + (image - queries()) * dims;
  }
};

struct NeighbourLists {
  std::int64_t length = 0; // of each list
  std::vector<std::uint32_t>
      images; // [N, length] nearest first, equal distances by number; usually begins with the image itself
  std::vector<float> distances; // [N, length]
  std::vector<float> largest;   // [N] distance to the farthest image
  std::vector<float> norms;     // [N] squared lengths

  std::span<const std::uint32_t> of(std::int64_t image, std::int64_t count) const {
    return {images.data() + image * length, static_cast<std::size_t>(count)};
  }
};

// REQUIRES: 1 <= length <= images.size(). Throws ErrorKind::data for values that are not finite.
NeighbourLists nearest_neighbours(const JointImages& images, std::int64_t length);

} // namespace vlreid
