#include "vlreid/retrieval/neighbours.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>

#include "vlreid/base/error.h"
#include "vlreid/products/products.h"
#include "vlreid/retrieval/features.h"
#include "vlreid/retrieval/kernels.h"
#include "vlreid/retrieval/nearest.h"
#include "vlreid/retrieval/parallel.h"

namespace vlreid {
namespace {

// A tile of 1 MiB stays in the cache, and is large enough for the matrix product.
constexpr std::int64_t kTileRows = 512;

struct Block {
  std::int64_t first = 0; // image number of its first row
  RowBlock rows;
  const Panels* panels = nullptr; // the same rows
};

struct Tile {
  std::int64_t row_block = 0;
  std::int64_t column_block = 0; // not before row_block
};

void append_blocks(const float* values, const PackedFeatures& packed, std::int64_t first,
                   std::vector<Block>& blocks) {
  for (const Panels& part : packed.parts) {
    blocks.push_back({first, {values, part.rows()}, &part});
    first += part.rows();
    values += part.rows() * part.dims();
  }
}

// Along the diagonals: tiles that follow each other have different blocks, so that workers rarely wait for
// each other, and every list has a useful limit after the first diagonal.
std::vector<Tile> upper_tiles(std::int64_t blocks) {
  std::vector<Tile> tiles;
  for (std::int64_t offset = 0; offset < blocks; ++offset) {
    for (std::int64_t row = 0; row + offset < blocks; ++row)
      tiles.push_back({row, row + offset});
  }
  return tiles;
}

class Search {
public:
  Search(const JointImages& images, std::int64_t length);
  void visit(Tile tile, float* products);
  NeighbourLists finish();
  const std::vector<Block>& blocks() const { return blocks_; }

private:
  void offer_row(std::int64_t image, std::int64_t first_column, std::span<const float> distances);
  void offer_row_and_columns(std::int64_t image, std::int64_t first_column, std::span<const float> distances);
  void offer(std::int64_t image, float distance, std::int64_t neighbour) {
    if (!(distance <= limits_[image])) return;
    nearest_[image].add(distance, static_cast<std::uint32_t>(neighbour));
    limits_[image] = nearest_[image].limit();
  }

  std::int64_t length_;
  PackedFeatures query_;
  PackedFeatures gallery_;
  std::vector<float> norms_;
  std::vector<Block> blocks_;
  std::vector<std::mutex> mutexes_; // of a block: guards the members below for its images
  std::vector<RankKey> buffers_;    // [N, capacity]
  std::vector<Nearest> nearest_;    // [N]
  std::vector<float> limits_;       // [N] of nearest_, together for the scan of a row
  std::vector<float> largest_;      // [N]
};

Search::Search(const JointImages& images, std::int64_t length)
    : length_(length),
      query_(pack_features(images.query, images.dims, "query features", {.part_rows = kTileRows})),
      gallery_(pack_features(images.gallery, images.dims, "gallery features", {.part_rows = kTileRows})),
      norms_(query_.norms) {
  norms_.insert(norms_.end(), gallery_.norms.begin(), gallery_.norms.end());
  append_blocks(images.query.data(), query_, 0, blocks_);
  append_blocks(images.gallery.data(), gallery_, images.queries(), blocks_);
  mutexes_ = std::vector<std::mutex>(blocks_.size());
  const std::int64_t capacity = 2 * length + kChunk;
  buffers_.resize(images.size() * capacity);
  for (std::int64_t image = 0; image < images.size(); ++image) {
    nearest_.emplace_back(std::span(buffers_).subspan(image * capacity, capacity), length);
  }
  limits_.assign(images.size(), std::numeric_limits<float>::infinity());
  largest_.assign(images.size(), 0);
}

void Search::visit(Tile tile, float* products) {
  const Block& rows = blocks_[tile.row_block];
  const Block& columns = blocks_[tile.column_block];
  const bool is_diagonal = tile.row_block == tile.column_block;
  multiply(rows.rows, *columns.panels, {0, columns.rows.rows}, products, columns.rows.rows);
  const std::unique_lock row_lock(mutexes_[tile.row_block]);
  std::unique_lock column_lock(mutexes_[tile.column_block], std::defer_lock);
  if (!is_diagonal) column_lock.lock(); // always the later block second: no deadlock
  for (std::int64_t r = 0; r < rows.rows.rows; ++r) {
    float* distances = products + r * columns.rows.rows;
    const std::int64_t image = rows.first + r;
    products_to_distances(distances, norms_[image], norms_.data() + columns.first, columns.rows.rows,
                          distances);
    largest_[image] =
        update_maxima(distances, columns.rows.rows, largest_[image], largest_.data() + columns.first);
    const std::span<const float> row(distances, columns.rows.rows);
    is_diagonal ? offer_row(image, columns.first, row) : offer_row_and_columns(image, columns.first, row);
  }
}

void Search::offer_row(std::int64_t image, std::int64_t first_column, std::span<const float> distances) {
  const auto count = static_cast<std::int64_t>(distances.size());
  for (std::int64_t chunk = 0;
       (chunk = next_chunk_within(distances.data(), chunk, count, limits_[image])) < count; chunk += kChunk) {
    const std::int64_t end = std::min(count, chunk + kChunk);
    for (std::int64_t c = chunk; c < end; ++c)
      offer(image, distances[c], first_column + c);
  }
}

void Search::offer_row_and_columns(std::int64_t image, std::int64_t first_column,
                                   std::span<const float> distances) {
  const auto count = static_cast<std::int64_t>(distances.size());
  const float* column_limits = limits_.data() + first_column;
  for (std::int64_t chunk = 0;
       (chunk = next_chunk_within(distances.data(), chunk, count, limits_[image], column_limits)) < count;
       chunk += kChunk) {
    const std::int64_t end = std::min(count, chunk + kChunk);
    for (std::int64_t c = chunk; c < end; ++c) {
      offer(image, distances[c], first_column + c);
      offer(first_column + c, distances[c], image);
    }
  }
}

NeighbourLists Search::finish() {
  const auto count = static_cast<std::int64_t>(nearest_.size());
  NeighbourLists lists{
      .length = length_, .images = {}, .distances = {}, .largest = largest_, .norms = norms_};
  lists.images.resize(count * length_);
  lists.distances.resize(count * length_);
  for_each_block((count + kTileRows - 1) / kTileRows, [&](std::int64_t block, int) {
    const std::int64_t end = std::min(count, (block + 1) * kTileRows);
    for (std::int64_t image = block * kTileRows; image < end; ++image) {
      std::int64_t slot = image * length_;
      for (const RankKey key : nearest_[image].sorted()) {
        lists.images[slot] = key_index(key);
        lists.distances[slot++] = key_distance(key);
      }
    }
  });
  return lists;
}

} // namespace

NeighbourLists nearest_neighbours(const JointImages& images, std::int64_t length) {
  VLREID_ASSERT(length >= 1 && length <= images.size());
  VLREID_ASSERT(images.size() <= std::numeric_limits<std::uint32_t>::max());
  Search search(images, length);
  const std::vector<Tile> tiles = upper_tiles(static_cast<std::int64_t>(search.blocks().size()));
  std::vector<std::unique_ptr<float[]>> products(worker_count()); // [kTileRows, kTileRows] each
  for_each_block(static_cast<std::int64_t>(tiles.size()), [&](std::int64_t tile, int worker) {
    if (!products[worker]) products[worker] = std::make_unique_for_overwrite<float[]>(kTileRows * kTileRows);
    search.visit(tiles[tile], products[worker].get());
  });
  return search.finish();
}

} // namespace vlreid
