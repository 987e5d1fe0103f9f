// Which images a batch of an epoch holds (datasets section 5): labels -> lists of item numbers. A family
// (builtin.def): identity (P identities with K images each), shuffle (every image once). What comes out
// follows from (seed, epoch) alone, so an epoch can be had again after a restart. With several ranks all make
// the same list, and mini batch m goes to rank m mod world. Immutable; thread safe.
#pragma once

#include "vlreid/base/registry.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vlreid {

struct SamplerOptions {
  std::size_t batch_size = 64;         // over all ranks
  std::size_t images_per_identity = 4; // K: DATALOADER.NUM_INSTANCE; only for identity
  std::uint64_t seed = 0;
  std::size_t world = 1, rank = 0;
};

// Item numbers, batch by batch.
using BatchList = std::vector<std::vector<std::size_t>>;

class Sampler {
public:
  virtual ~Sampler() = default;

  // Never empty: an epoch without a step is ErrorKind::data.
  virtual BatchList batches(std::uint64_t epoch) const = 0;
  // Items per epoch and rank as the references announce them: for identity an upper bound of what comes.
  virtual std::size_t announced_length() const = 0;
};

// One label per item. The labels may be gone after the call.
using SamplerFactory = std::unique_ptr<Sampler> (*)(std::span<const std::int64_t> labels,
                                                    const SamplerOptions& options);

#define VLREID_BUILTIN(name, description)                                                                    \
  std::unique_ptr<Sampler> make_##name##_sampler(std::span<const std::int64_t> labels,                       \
                                                 const SamplerOptions& options);
#include "vlreid/batches/builtin.def"
#undef VLREID_BUILTIN

const Registry<SamplerFactory>& samplers();

// "identity" for every value of DATALOADER.SAMPLER with "triplet" in it, else "shuffle", as the references
// choose.
std::string sampler_name(std::string_view config_value);

// Batches of two lists of items in turn, those of the second (items from `second_begins` on) after each of
// the first; the longer one goes on alone, or its rest is left out.
std::unique_ptr<Sampler> make_alternating_sampler(std::unique_ptr<Sampler> first,
                                                  std::unique_ptr<Sampler> second, std::size_t second_begins,
                                                  bool ends_with_shorter = false);

// Batches that are given: epochs[i] for epoch first_epoch + i; other epochs are ErrorKind::data.
std::unique_ptr<Sampler> make_listed_sampler(std::vector<BatchList> epochs, std::uint64_t first_epoch = 1);

} // namespace vlreid
