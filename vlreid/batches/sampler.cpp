#include "vlreid/batches/sampler.h"

#include <fmt/format.h>

namespace vlreid {
namespace {

class ListedSampler : public Sampler {
public:
  ListedSampler(std::vector<BatchList> epochs, std::uint64_t first_epoch)
      : epochs_(std::move(epochs)), first_epoch_(first_epoch) {}

  BatchList batches(std::uint64_t epoch) const override {
    VLREID_REQUIRE(epoch >= first_epoch_ && epoch - first_epoch_ < epochs_.size(), ErrorKind::data,
                   "list of batches", fmt::format("nothing for epoch {}", epoch),
                   fmt::format("one of {} epochs from {} on", epochs_.size(), first_epoch_),
                   "give batches for every epoch");
    return epochs_[epoch - first_epoch_];
  }

  std::size_t announced_length() const override {
    std::size_t length = 0;
    if (!epochs_.empty())
      for (const auto& batch : epochs_.front())
        length += batch.size();
    return length;
  }

private:
  std::vector<BatchList> epochs_;
  std::uint64_t first_epoch_;
};

} // namespace

const Registry<SamplerFactory>& samplers() {
  static const Registry<SamplerFactory> registry = [] {
    Registry<SamplerFactory> made("sampler");
#define VLREID_BUILTIN(name, description) made.add(#name, make_##name##_sampler, description);
#include "vlreid/batches/builtin.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

std::string sampler_name(std::string_view config_value) {
  return config_value.find("triplet") != std::string_view::npos ? "identity" : "shuffle";
}

std::unique_ptr<Sampler> make_listed_sampler(std::vector<BatchList> epochs, std::uint64_t first_epoch) {
  return std::make_unique<ListedSampler>(std::move(epochs), first_epoch);
}

} // namespace vlreid
