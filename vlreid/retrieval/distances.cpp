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

// More rows make the matrix product no faster.
constexpr std::int64_t kMostRowsPerBlock = 512;
// Products go to a small matrix of their own first: written straight into the long rows of the block, pages
// apart, at::mm takes 1.4 times as long.
constexpr std::int64_t kTileColumns = 1024;

// Rows of a block so that all workers stay within the memory and have about the same number of blocks.
std::int64_t rows_per_block(std::int64_t queries, std::int64_t gallery, std::int64_t block_bytes) {
  const std::int64_t workers = worker_count();
  const std::int64_t row_bytes = gallery * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t most =
      std::clamp<std::int64_t>(block_bytes / (workers * row_bytes), 1, kMostRowsPerBlock);
  const std::int64_t rounds = (queries + most * workers - 1) / (most * workers);
  return (queries + rounds * workers - 1) / (rounds * workers);
}

struct Workspace {
  std::unique_ptr<float[]> distances; // [rows, images]
  std::unique_ptr<float[]> products;  // [rows, kTileColumns]
};

struct Side {
  const float* values = nullptr; // [rows, dims]
  const float* norms = nullptr;  // [rows]
  std::int64_t rows = 0;
};

void block_of_distances(const Side& query, const Side& gallery, std::int64_t dims, const Workspace& out) {
  for (std::int64_t first = 0; first < gallery.rows; first += kTileColumns) {
    const std::int64_t columns = std::min(kTileColumns, gallery.rows - first);
    inner_products({query.values, query.rows}, {gallery.values + first * dims, columns}, dims,
                   out.products.get());
    for (std::int64_t q = 0; q < query.rows; ++q) {
      products_to_distances(out.products.get() + q * columns, query.norms[q], gallery.norms + first, columns,
                            out.distances.get() + q * gallery.rows + first);
    }
  }
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
  std::vector<Workspace> workspaces(worker_count());

  for_each_block((queries + rows - 1) / rows, [&](std::int64_t block, int worker) {
    Workspace& mine = workspaces[worker];
    if (!mine.distances) {
      mine.distances = std::make_unique_for_overwrite<float[]>(rows * images);
      mine.products = std::make_unique_for_overwrite<float[]>(rows * kTileColumns);
    }
    const std::int64_t begin = block * rows;
    const std::int64_t count = std::min(rows, queries - begin);
    block_of_distances({query.data() + begin * dims, query_norms.data() + begin, count},
                       {gallery.data(), gallery_norms.data(), images}, dims, mine);
    for (std::int64_t q = 0; q < count; ++q) {
      consume(begin + q, {mine.distances.get() + q * images, static_cast<std::size_t>(images)}, worker);
    }
  });
}

} // namespace vlreid
