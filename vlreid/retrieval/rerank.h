// k-reciprocal re-ranking (Zhong et al. 2017, "Re-ranking Person Re-identification with k-reciprocal
// Encoding"), with the choices of the reference (reference-behaviour, section 8): neighbours among queries
// and gallery together, distances of an image divided by its largest distance, float32 throughout (the
// reference stores the encoding in half precision: EXTENSION). No N x N matrix: only nearest-neighbour lists
// and the sparse encoding are kept, and final rows are streamed. Threads inside.
#pragma once

#include <cstdint>
#include <span>

#include "vlreid/retrieval/distances.h"

namespace vlreid {

struct RerankOptions {
  int k1 = 50;         // size of the reciprocal neighbourhood; the paper has 20
  int k2 = 15;         // images averaged into an encoding (local query expansion); 1: off; the paper has 6
  double lambda = 0.3; // share of the original distance in the final one, 0 to 1

  // Throws ErrorKind::usage for values that make no sense.
  void validate() const;
};

// Gives the consumer each query's final distances [G] = (1 - lambda) * Jaccard + lambda * original. query [Q,
// dims] and gallery [G, dims], compared as they are. With fewer images than k1 the lists are as long as there
// are images.
void for_each_reranked_row(std::span<const float> query, std::span<const float> gallery, std::int64_t dims,
                           const RerankOptions& options, const RowConsumer& consume);

} // namespace vlreid
