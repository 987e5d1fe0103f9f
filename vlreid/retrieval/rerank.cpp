#include "vlreid/retrieval/rerank.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "vlreid/base/error.h"
#include "vlreid/retrieval/kernels.h"
#include "vlreid/retrieval/neighbours.h"
#include "vlreid/retrieval/parallel.h"

namespace vlreid {
namespace {

constexpr std::int64_t kImagesPerBlock = 64;
// Lists of this length of a million images still fit in memory; more is a mistake.
constexpr int kLargestNeighbourhood = 1000;

struct Weight {
  std::uint32_t image = 0;
  float weight = 0;
};
using Encoding =
    std::vector<Weight>; // a sparse row of V: one weight for each image of the neighbourhood, no image twice

void for_each_image(std::int64_t count, const std::function<void(std::int64_t image, int worker)>& body) {
  for_each_block((count + kImagesPerBlock - 1) / kImagesPerBlock, [&](std::int64_t block, int worker) {
    const std::int64_t end = std::min(count, (block + 1) * kImagesPerBlock);
    for (std::int64_t image = block * kImagesPerBlock; image < end; ++image)
      body(image, worker);
  });
}

// A set of images that is emptied in no time: an image is in it when it carries the current stamp.
class ImageSet {
public:
  explicit ImageSet(std::int64_t images) : stamps_(images) {}
  void clear() { ++stamp_; }
  bool has(std::uint32_t image) const { return stamps_[image] == stamp_; }
  // False when it was there already.
  bool insert(std::uint32_t image) { return std::exchange(stamps_[image], stamp_) != stamp_; }

private:
  std::vector<std::uint64_t> stamps_;
  std::uint64_t stamp_ = 1;
};

// Step 1 of the paper: R*(i, k1), the expanded reciprocal neighbourhood, and its weights exp(-distance) of
// sum 1.
class Encoder {
public:
  Encoder(const JointImages& images, const NeighbourLists& lists, int k1)
      : images_(images), lists_(lists), size_(std::min<std::int64_t>(k1 + 1, images.size())),
        // The half is rounded to even (k1 = 25 gives 12), as numpy does.
        half_size_(std::min<std::int64_t>(std::llrint(std::nearbyint(k1 / 2.0)) + 1, images.size())),
        half_(images.size()) {
    for_each_image(images.size(),
                   [&](std::int64_t image, int) { half_[image] = reciprocal(image, half_size_); });
  }

  Encoding encode(std::int64_t image, ImageSet& core, ImageSet& all) const {
    const std::vector<std::uint32_t> neighbourhood = expanded(image, core, all);
    const auto list = lists_.of(image, lists_.length);
    Encoding encoding;
    encoding.reserve(neighbourhood.size());
    // The scratch set now tells which images of the neighbourhood are not in the list and need their distance
    // computed.
    core.clear();
    for (std::int64_t slot = 0; slot < lists_.length; ++slot) {
      if (!all.has(list[slot])) continue;
      core.insert(list[slot]);
      encoding.push_back({list[slot], weight_of(image, lists_.distances[image * lists_.length + slot])});
    }
    for (const std::uint32_t other : neighbourhood) {
      if (!core.has(other)) encoding.push_back({other, weight_of(image, distance(image, other))});
    }
    float sum = 0;
    for (const Weight& entry : encoding)
      sum += entry.weight;
    for (Weight& entry : encoding)
      entry.weight /= sum;
    return encoding;
  }

private:
  // Neighbours that have the image among theirs.
  std::vector<std::uint32_t> reciprocal(std::int64_t image, std::int64_t size) const {
    std::vector<std::uint32_t> result;
    for (const std::uint32_t neighbour : lists_.of(image, size)) {
      const auto theirs = lists_.of(neighbour, size);
      if (std::find(theirs.begin(), theirs.end(), image) != theirs.end()) result.push_back(neighbour);
    }
    return result;
  }

  // The reciprocal neighbours, and the half-sized reciprocal neighbourhoods of those that share more than two
  // thirds with them.
  std::vector<std::uint32_t> expanded(std::int64_t image, ImageSet& core, ImageSet& all) const {
    std::vector<std::uint32_t> result = reciprocal(image, size_);
    core.clear();
    all.clear();
    for (const std::uint32_t neighbour : result) {
      core.insert(neighbour);
      all.insert(neighbour);
    }
    const std::size_t core_size = result.size();
    for (std::size_t n = 0; n < core_size; ++n) {
      const std::vector<std::uint32_t>& candidates = half_[result[n]];
      const auto shared = std::count_if(candidates.begin(), candidates.end(),
                                        [&](std::uint32_t candidate) { return core.has(candidate); });
      if (!(static_cast<double>(shared) > 2.0 / 3.0 * static_cast<double>(candidates.size()))) continue;
      for (const std::uint32_t candidate : candidates) {
        if (all.insert(candidate)) result.push_back(candidate);
      }
    }
    return result;
  }

  float distance(std::int64_t a, std::int64_t b) const {
    return (lists_.norms[a] + lists_.norms[b]) - 2 * dot(images_.row(a), images_.row(b), images_.dims);
  }
  float weight_of(std::int64_t image, float distance) const {
    return std::exp(-distance / lists_.largest[image]);
  }

  const JointImages& images_;
  const NeighbourLists& lists_;
  std::int64_t size_;
  std::int64_t half_size_;
  std::vector<std::vector<std::uint32_t>> half_; // [N]
};

std::vector<Encoding> encode_all(const JointImages& images, const NeighbourLists& lists, int k1) {
  const Encoder encoder(images, lists, k1);
  std::vector<Encoding> encodings(images.size());
  const std::vector<ImageSet> empty(worker_count(), ImageSet(images.size()));
  std::vector<ImageSet> core = empty;
  std::vector<ImageSet> all = empty;
  for_each_image(images.size(), [&](std::int64_t image, int worker) {
    encodings[image] = encoder.encode(image, core[worker], all[worker]);
  });
  return encodings;
}

// Step 2, local query expansion: the mean of the encodings of the k2 nearest images (the image itself is one
// of them).
std::vector<Encoding> average_neighbours(const std::vector<Encoding>& encodings, const NeighbourLists& lists,
                                         std::int64_t k2) {
  const auto images = static_cast<std::int64_t>(encodings.size());
  std::vector<Encoding> means(images);
  std::vector<std::vector<float>> sums(worker_count(), std::vector<float>(images)); // zero between images
  for_each_image(images, [&](std::int64_t image, int worker) {
    float* sum = sums[worker].data();
    std::vector<std::uint32_t> touched;
    for (const std::uint32_t neighbour : lists.of(image, k2)) {
      for (const Weight& entry : encodings[neighbour]) {
        if (sum[entry.image] == 0) touched.push_back(entry.image);
        sum[entry.image] += entry.weight;
      }
    }
    means[image].reserve(touched.size());
    for (const std::uint32_t other : touched) {
      means[image].push_back({other, std::exchange(sum[other], 0.0F) / static_cast<float>(k2)});
    }
  });
  return means;
}

// The encodings of the gallery by column: for each image, the gallery rows that have a weight for it.
class InvertedEncodings {
public:
  InvertedEncodings(std::span<const Encoding> gallery, std::int64_t images) : offsets_(images + 1) {
    for (const Encoding& encoding : gallery) {
      for (const Weight& entry : encoding)
        ++offsets_[entry.image + 1];
    }
    for (std::int64_t image = 0; image < images; ++image)
      offsets_[image + 1] += offsets_[image];
    entries_ = std::make_unique_for_overwrite<Weight[]>(offsets_.back());
    std::vector<std::int64_t> ends(offsets_.begin(), offsets_.end() - 1);
    for (std::size_t row = 0; row < gallery.size(); ++row) {
      for (const Weight& entry : gallery[row]) {
        entries_[ends[entry.image]++] = {static_cast<std::uint32_t>(row), entry.weight};
      }
    }
  }

  // shared[g] = sum over images of the smaller of both weights.
  void share(const Encoding& query, std::span<float> shared) const {
    std::fill(shared.begin(), shared.end(), 0.0F);
    for (const Weight& mine : query) {
      for (std::int64_t at = offsets_[mine.image]; at < offsets_[mine.image + 1]; ++at) {
        shared[entries_[at].image] += std::min(mine.weight, entries_[at].weight);
      }
    }
  }

private:
  std::vector<std::int64_t> offsets_; // [N + 1]
  std::unique_ptr<Weight[]> entries_; // Weight::image is a gallery row
};

// Images that are all the same have no distance to divide by.
void replace_zeros(std::vector<float>& largest) {
  for (float& value : largest) {
    if (!(value >= std::numeric_limits<float>::min())) value = 1;
  }
}

} // namespace

void RerankOptions::validate() const {
  VLREID_REQUIRE(k1 >= 1 && k1 <= kLargestNeighbourhood, ErrorKind::usage, "re-ranking k1",
                 std::to_string(k1), "1 to " + std::to_string(kLargestNeighbourhood));
  VLREID_REQUIRE(k2 >= 1 && k2 <= kLargestNeighbourhood, ErrorKind::usage, "re-ranking k2",
                 std::to_string(k2), "1 to " + std::to_string(kLargestNeighbourhood));
  VLREID_REQUIRE(lambda >= 0 && lambda <= 1, ErrorKind::usage, "re-ranking lambda", std::to_string(lambda),
                 "0 to 1");
}

void for_each_reranked_row(std::span<const float> query, std::span<const float> gallery, std::int64_t dims,
                           const RerankOptions& options, const RowConsumer& consume) {
  options.validate();
  if (query.empty() || gallery.empty()) return;
  const JointImages images{query, gallery, dims};
  NeighbourLists lists =
      nearest_neighbours(images, std::min<std::int64_t>(std::max(options.k1 + 1, options.k2), images.size()));
  replace_zeros(lists.largest);
  std::vector<Encoding> encodings = encode_all(images, lists, options.k1);
  if (options.k2 > 1) {
    encodings = average_neighbours(encodings, lists, std::min<std::int64_t>(options.k2, images.size()));
  }
  const InvertedEncodings inverted(std::span<const Encoding>(encodings).subspan(images.queries()),
                                   images.size());
  encodings.resize(images.queries());

  const auto jaccard_share = static_cast<float>(1 - options.lambda);
  const auto original_share = static_cast<float>(options.lambda);
  std::vector<std::vector<float>> shared(worker_count(),
                                         std::vector<float>(images.size() - images.queries()));
  for_each_distance_row(query, gallery, dims, [&](std::int64_t q, std::span<float> distances, int worker) {
    inverted.share(encodings[q], shared[worker]);
    mix_distances(shared[worker].data(), lists.largest[q], jaccard_share, original_share,
                  static_cast<std::int64_t>(distances.size()), distances.data());
    consume(q, distances, worker);
  });
}

} // namespace vlreid
