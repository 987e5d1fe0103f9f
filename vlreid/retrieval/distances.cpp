#include "vlreid/retrieval/distances.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "vlreid/base/error.h"
#include "vlreid/retrieval/features.h"
#include "vlreid/retrieval/kernels.h"
#include "vlreid/retrieval/parallel.h"
#include "vlreid/retrieval/products.h"

namespace vlreid {
namespace {

// More rows make the matrix product no faster, but the block leaves the cache.
constexpr std::int64_t kMostRowsPerBlock = 512;

// Rows of a block so that all workers stay within the memory and have about the same number of blocks.
std::int64_t rows_per_block(std::int64_t queries, std::int64_t gallery, std::int64_t block_bytes) {
  const std::int64_t workers = worker_count();
  const std::int64_t row_bytes = gallery * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t most =
      std::clamp<std::int64_t>(block_bytes / (workers * row_bytes), 1, kMostRowsPerBlock);
  const std::int64_t rounds = (queries + most * workers - 1) / (most * workers);
  return (queries + rounds * workers - 1) / (rounds * workers);
}

} // namespace

void for_each_distance_row(std::span<const float> query, std::span<const float> gallery, std::int64_t dims,
                           const RowConsumer& consume, const DistanceOptions& options) {
  if (query.empty() || gallery.empty()) return;
  const std::vector<float> query_norms = squared_norms(query, dims, "query features");
  const std::vector<float> gallery_norms = squared_norms(gallery, dims, "gallery features");
  const auto queries = static_cast<std::int64_t>(query_norms.size());
  const auto images = static_cast<std::int64_t>(gallery_norms.size());
  const std::int64_t rows = rows_per_block(queries, images, options.block_bytes);
  std::vector<std::unique_ptr<float[]>> blocks(worker_count()); // [rows, images] each

  for_each_block((queries + rows - 1) / rows, [&](std::int64_t block, int worker) {
    if (!blocks[worker]) blocks[worker] = std::make_unique_for_overwrite<float[]>(rows * images);
    const std::int64_t begin = block * rows;
    const std::int64_t end = std::min(queries, begin + rows);
    inner_products({query.data() + begin * dims, end - begin}, {gallery.data(), images}, dims,
                   blocks[worker].get());
    for (std::int64_t q = begin; q < end; ++q) {
      float* row = blocks[worker].get() + (q - begin) * images;
      products_to_distances(row, query_norms[q], gallery_norms.data(), images);
      consume(q, {row, static_cast<std::size_t>(images)}, worker);
    }
  });
}

} // namespace vlreid
