#include "vlreid/retrieval/distances.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "vlreid/base/error.h"
#include "vlreid/products/products.h"
#include "vlreid/retrieval/features.h"
#include "vlreid/retrieval/kernels.h"
#include "vlreid/retrieval/parallel.h"

namespace vlreid {
namespace {

// A strip of the product (products.cpp): more rows make it no faster, and the distances of so few stay in the
// last cache until they are ranked.
constexpr std::int64_t kMostRowsPerBlock = 126;
// Products go to a small matrix of their own first: the rows of the block are pages apart.
constexpr std::int64_t kTileColumns = 4096;

// Rows of a block so that the blocks of all workers stay within the memory.
std::int64_t rows_per_block(std::int64_t gallery, std::int64_t block_bytes) {
  const std::int64_t row_bytes = gallery * static_cast<std::int64_t>(sizeof(float));
  return std::clamp<std::int64_t>(block_bytes / (worker_count() * row_bytes), 1, kMostRowsPerBlock);
}

struct Workspace {
  std::unique_ptr<float[]> distances; // [rows, images]
  std::unique_ptr<float[]> products;  // [rows, kTileColumns]
};

struct Queries {
  RowBlock rows;
  const float* norms = nullptr; // [rows]
};

struct Gallery {
  Panels panels;
  std::vector<float> norms; // [rows]
};

void block_of_distances(const Queries& queries, const Gallery& gallery, const Workspace& out) {
  const std::int64_t images = gallery.panels.rows();
  for (std::int64_t first = 0; first < images; first += kTileColumns) {
    const std::int64_t columns = std::min(kTileColumns, images - first);
    multiply(queries.rows, gallery.panels, {first, columns}, out.products.get(), columns);
    for (std::int64_t q = 0; q < queries.rows.rows; ++q) {
      products_to_distances(out.products.get() + q * columns, queries.norms[q], gallery.norms.data() + first,
                            columns, out.distances.get() + q * images + first);
    }
  }
}

} // namespace

void for_each_distance_row(std::span<const float> query, std::span<const float> gallery, std::int64_t dims,
                           const RowConsumer& consume, const DistanceOptions& options) {
  if (query.empty() || gallery.empty()) return;
  const std::vector<float> query_norms = squared_norms(query, dims, "query features");
  const Gallery side{in_panels(gallery, dims), squared_norms(gallery, dims, "gallery features")};
  const auto queries = static_cast<std::int64_t>(query_norms.size());
  const std::int64_t images = side.panels.rows();
  const std::int64_t rows = std::min(queries, rows_per_block(images, options.block_bytes));
  std::vector<Workspace> workspaces(worker_count());

  for_each_block((queries + rows - 1) / rows, [&](std::int64_t block, int worker) {
    Workspace& mine = workspaces[worker];
    if (!mine.distances) {
      mine.distances = std::make_unique_for_overwrite<float[]>(rows * images);
      mine.products = std::make_unique_for_overwrite<float[]>(rows * kTileColumns);
    }
    const std::int64_t begin = block * rows;
    const std::int64_t count = std::min(rows, queries - begin);
    block_of_distances({{query.data() + begin * dims, count}, query_norms.data() + begin}, side, mine);
    for (std::int64_t q = 0; q < count; ++q) {
      consume(begin + q, {mine.distances.get() + q * images, static_cast<std::size_t>(images)}, worker);
    }
  });
}

} // namespace vlreid
