#include "vlreid/batches/rank_share.h"

#include <fmt/format.h>

namespace vlreid {
namespace {

// Third word of the key, above all numbers of images: keeps the order apart from other uses of (seed, epoch).
constexpr std::uint64_t kOrder = std::uint64_t{1} << 62;

} // namespace

std::size_t mini_batch_size(const SamplerOptions& options) {
  VLREID_REQUIRE(options.world >= 1 && options.rank < options.world, ErrorKind::config, "rank",
                 fmt::format("rank {} of {}", options.rank, options.world),
                 "a rank below the number of ranks", "check the launcher");
  const std::size_t size = options.batch_size / options.world;
  VLREID_REQUIRE(size >= 1 && options.batch_size % options.world == 0, ErrorKind::config, "IMS_PER_BATCH",
                 fmt::format("{} images on {} ranks", options.batch_size, options.world),
                 "a multiple of the number of ranks", "change the batch size");
  return size;
}

BatchList share_of_rank(BatchList minis, const SamplerOptions& options) {
  BatchList share;
  const std::size_t rounds = minis.size() / options.world;
  for (std::size_t round = 0; round < rounds; ++round)
    share.push_back(std::move(minis[round * options.world + options.rank]));
  VLREID_REQUIRE(!share.empty(), ErrorKind::data, "training set",
                 fmt::format("{} batches for {} ranks", minis.size(), options.world),
                 "at least one batch for every rank", "lower IMS_PER_BATCH or the number of ranks");
  return share;
}

Random order_random(std::uint64_t seed, std::uint64_t epoch) {
  return Random({seed, epoch, kOrder});
}

} // namespace vlreid
