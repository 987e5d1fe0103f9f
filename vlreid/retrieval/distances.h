// Distances of queries to a gallery, row by row, without ever holding the matrix [Q, G]: blocks of queries
// are multiplied with the whole gallery (vlreid/products) and each finished row goes to a consumer. distance
// = |q|^2 + |g|^2 - 2 q.g in float32, as the references compute it: it may come out a rounding error below
// zero.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace vlreid {

// Gets the distances [G] of one query to the whole gallery; the row may be overwritten and is gone after the
// call. Called once a query, in no particular order and from several threads at once; `worker` in [0,
// worker_count()) tells them apart.
using RowConsumer = std::function<void(std::int64_t query, std::span<float> distances, int worker)>;

struct DistanceOptions {
  // Memory for blocks of distances, all workers together.
  std::int64_t block_bytes = std::int64_t{256} << 20;
  bool normalise = false; // compare the rows divided by their lengths
};

// query [Q, dims] and gallery [G, dims], compared as they are or normalised.
// Throws ErrorKind::data for values that are not finite.
void for_each_distance_row(std::span<const float> query, std::span<const float> gallery, std::int64_t dims,
                           const RowConsumer& consume, const DistanceOptions& options = {});

} // namespace vlreid
