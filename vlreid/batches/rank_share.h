// Inside of the samplers: what all of them do for several ranks, and where their random numbers come from.
// Pure functions.
#pragma once

#include "vlreid/base/random.h"
#include "vlreid/batches/sampler.h"

#include <cstddef>
#include <cstdint>

namespace vlreid {

// Throws Error (config) unless there are ranks, this is one of them, and each gets an equal part of a batch.
// Gives the size of that part, the mini batch.
std::size_t mini_batch_size(const SamplerOptions& options);

// The batches of this rank from the list that all ranks make: number m goes to rank m mod world. An
// incomplete last round is dropped, so that all ranks take the same number of steps; throws Error (data) if
// none is left.
BatchList share_of_rank(BatchList minis, const SamplerOptions& options);

// The numbers of an epoch's order, the same on all ranks.
Random order_random(std::uint64_t seed, std::uint64_t epoch);

} // namespace vlreid
