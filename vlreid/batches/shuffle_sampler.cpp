// Every image once, in random order. One rank: the last batch may be short; several: it is left out, since
// their steps must be alike.
#include "vlreid/batches/rank_share.h"

#include <algorithm>
#include <numeric>

namespace vlreid {
namespace {

class ShuffleSampler : public Sampler {
public:
  ShuffleSampler(std::size_t items, const SamplerOptions& options)
      : items_(items), options_(options), mini_(mini_batch_size(options)) {}

  BatchList batches(std::uint64_t epoch) const override {
    std::vector<std::size_t> order(items_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    Random random = order_random(options_.seed, epoch);
    random.shuffle(std::span(order));
    const std::size_t used = options_.world == 1 ? items_ : items_ / mini_ * mini_;
    BatchList minis;
    for (std::size_t begin = 0; begin < used; begin += mini_) {
      const auto first = order.begin() + static_cast<std::ptrdiff_t>(begin);
      minis.emplace_back(first, first + static_cast<std::ptrdiff_t>(std::min(mini_, used - begin)));
    }
    return share_of_rank(std::move(minis), options_);
  }

  std::size_t announced_length() const override { return items_ / options_.world; }

private:
  std::size_t items_;
  SamplerOptions options_;
  std::size_t mini_;
};

} // namespace

std::unique_ptr<Sampler> make_shuffle_sampler(std::span<const std::int64_t> labels,
                                              const SamplerOptions& options) {
  return std::make_unique<ShuffleSampler>(labels.size(), options);
}

} // namespace vlreid
