#include "vlreid/retrieval/distances.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "vlreid/base/memory.h"
#include "vlreid/products/products.h"
#include "vlreid/retrieval/features.h"
#include "vlreid/retrieval/kernels.h"
#include "vlreid/retrieval/parallel.h"

namespace vlreid {
namespace {

// More rows make the product no faster, and the distances of so few stay in the last cache until they are
// ranked.
constexpr std::int64_t kMostRowsPerBlock = 126;

// Queries [first, first + count).
struct QueryRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

// Blocks of the largest size, as many for each worker, and of the rest one small block for each: all workers
// are done at the same time. The blocks of all workers together stay within the memory.
std::vector<QueryRange> query_blocks(std::int64_t queries, std::int64_t gallery, std::int64_t block_bytes) {
  const std::int64_t workers = worker_count();
  const std::int64_t row_bytes = gallery * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t largest =
      std::clamp<std::int64_t>(block_bytes / (workers * row_bytes), 1, kMostRowsPerBlock);
  const std::int64_t rest = queries % (workers * largest);
  std::vector<QueryRange> blocks;
  for (std::int64_t done = 0; done < queries; done += blocks.back().count) {
    const std::int64_t rows = queries - done > rest ? largest : (rest + workers - 1) / workers;
    blocks.push_back({done, std::min(rows, queries - done)});
  }
  return blocks;
}

struct Workspace {
  std::unique_ptr<float[]> distances; // [rows, images]
  std::unique_ptr<float[]> products;  // [rows, part_rows]: small, the rows of the block are pages apart

  Workspace(std::int64_t rows, std::int64_t images, std::int64_t part_rows)
      : distances(std::make_unique_for_overwrite<float[]>(rows * images)),
        products(std::make_unique_for_overwrite<float[]>(rows * part_rows)) {
    prefer_huge_pages(distances.get(), rows * images * sizeof(float));
  }
};

struct Queries {
  RowBlock rows;
  const float* norms = nullptr; // [rows]
};

void block_of_distances(const Queries& queries, const PackedFeatures& gallery, const Workspace& out) {
  const auto images = static_cast<std::int64_t>(gallery.norms.size());
  std::int64_t first = 0;
  for (const Panels& part : gallery.parts) {
    multiply(queries.rows, part, {0, part.rows()}, out.products.get(), part.rows());
    for (std::int64_t q = 0; q < queries.rows.rows; ++q) {
      products_to_distances(out.products.get() + q * part.rows(), queries.norms[q],
                            gallery.norms.data() + first, part.rows(),
                            out.distances.get() + q * images + first);
    }
    first += part.rows();
  }
}

} // namespace

void for_each_distance_row(std::span<const float> query, std::span<const float> gallery, std::int64_t dims,
                           const RowConsumer& consume, const DistanceOptions& options) {
  if (query.empty() || gallery.empty()) return;
  std::optional<NormalisedRows> normalised;
  if (options.normalise) query = normalised.emplace(query, dims).values();
  const std::vector<float> query_norms = squared_norms(query, dims, "query features");
  const PackOptions packing{.normalise = options.normalise};
  const PackedFeatures packed = pack_features(gallery, dims, "gallery features", packing);
  const auto images = static_cast<std::int64_t>(packed.norms.size());
  const std::vector<QueryRange> blocks =
      query_blocks(static_cast<std::int64_t>(query_norms.size()), images, options.block_bytes);
  std::vector<std::optional<Workspace>> workspaces(worker_count());

  for_each_block(static_cast<std::int64_t>(blocks.size()), [&](std::int64_t number, int worker) {
    std::optional<Workspace>& mine = workspaces[worker];
    if (!mine) mine.emplace(blocks.front().count, images, packing.part_rows);
    const auto [first, count] = blocks[number];
    block_of_distances({{query.data() + first * dims, count}, query_norms.data() + first}, packed, *mine);
    for (std::int64_t q = 0; q < count; ++q) {
      consume(first + q, {mine->distances.get() + q * images, static_cast<std::size_t>(images)}, worker);
    }
  });
}

} // namespace vlreid
