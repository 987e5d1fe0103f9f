// P identities with K images each in every mini batch, for losses that compare images within it.
#include "vlreid/batches/rank_share.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace vlreid {
namespace {

using Items = std::vector<std::size_t>;

// The items of each label, in order of first appearance.
std::vector<Items> group_by_label(std::span<const std::int64_t> labels) {
  std::vector<Items> groups;
  std::map<std::int64_t, std::size_t> place;
  for (std::size_t item = 0; item < labels.size(); ++item) {
    const auto [found, is_new] = place.emplace(labels[item], groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].push_back(item);
  }
  return groups;
}

class IdentitySampler : public Sampler {
public:
  IdentitySampler(std::span<const std::int64_t> labels, const SamplerOptions& options)
      : identities_(group_by_label(labels)), options_(options), each_(options.images_per_identity) {
    const std::size_t mini = mini_batch_size(options);
    VLREID_REQUIRE(
        each_ >= 1 && mini >= each_ && mini % each_ == 0, ErrorKind::config, "DATALOADER.NUM_INSTANCE",
        fmt::format("{} images of an identity, {} in a batch{}", each_, mini,
                    options.world > 1 ? " of one rank" : ""),
        "a batch size that is a multiple of it", "change IMS_PER_BATCH or DATALOADER.NUM_INSTANCE");
    chosen_ = mini / each_;
    VLREID_REQUIRE(identities_.size() >= chosen_, ErrorKind::data, "training set",
                   fmt::format("{} identities", identities_.size()),
                   fmt::format("at least {} for a batch of {} with {} images each", chosen_, mini, each_),
                   "lower IMS_PER_BATCH or raise DATALOADER.NUM_INSTANCE");
  }

  BatchList batches(std::uint64_t epoch) const override {
    Random random = order_random(options_.seed, epoch);
    std::vector<Items> left; // of each identity, a multiple of K
    for (const Items& identity : identities_)
      left.push_back(draw_groups(identity, random));
    std::vector<std::size_t> available(left.size());
    for (std::size_t i = 0; i < available.size(); ++i)
      available[i] = i;
    BatchList minis;
    while (available.size() >= chosen_)
      minis.push_back(draw_batch(left, available, random));
    return share_of_rank(std::move(minis), options_);
  }

  std::size_t announced_length() const override {
    std::size_t total = 0;
    for (const Items& identity : identities_)
      total += std::max(identity.size(), each_) / each_ * each_;
    return total / options_.world;
  }

private:
  // What an identity gives in an epoch: its images in random order, a last incomplete group left out; K
  // images drawn with replacement where it has fewer.
  Items draw_groups(const Items& identity, Random& random) const {
    Items drawn = identity;
    if (identity.size() < each_) {
      drawn.resize(each_);
      for (std::size_t& item : drawn)
        item = identity[random.below(identity.size())];
    }
    random.shuffle(std::span(drawn));
    drawn.resize(drawn.size() / each_ * each_);
    return drawn;
  }

  // P of the identities in random order, and the next K images of each. One that has none left is no longer
  // available.
  Items draw_batch(std::vector<Items>& left, std::vector<std::size_t>& available, Random& random) const {
    Items batch;
    for (std::size_t place = 0; place < chosen_; ++place) {
      std::swap(available[place], available[place + random.below(available.size() - place)]);
      Items& items = left[available[place]];
      const auto first = items.end() - static_cast<std::ptrdiff_t>(each_);
      batch.insert(batch.end(), first, items.end());
      items.erase(first, items.end());
    }
    std::erase_if(available, [&](std::size_t identity) { return left[identity].empty(); });
    return batch;
  }

  std::vector<Items> identities_;
  SamplerOptions options_;
  std::size_t each_;       // K
  std::size_t chosen_ = 0; // P
};

} // namespace

std::unique_ptr<Sampler> make_identity_sampler(std::span<const std::int64_t> labels,
                                               const SamplerOptions& options) {
  return std::make_unique<IdentitySampler>(labels, options);
}

} // namespace vlreid
