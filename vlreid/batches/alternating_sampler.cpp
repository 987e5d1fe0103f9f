#include "vlreid/batches/sampler.h"

#include <algorithm>

namespace vlreid {
namespace {

class AlternatingSampler : public Sampler {
public:
  AlternatingSampler(std::unique_ptr<Sampler> first, std::unique_ptr<Sampler> second, std::size_t shift,
                     bool ends_with_shorter)
      : first_(std::move(first)), second_(std::move(second)), shift_(shift),
        ends_with_shorter_(ends_with_shorter) {}

  BatchList batches(std::uint64_t epoch) const override {
    BatchList a = first_->batches(epoch), b = second_->batches(epoch), turns;
    for (std::vector<std::size_t>& batch : b)
      for (std::size_t& item : batch)
        item += shift_;
    const auto [shorter, longer] = std::minmax({a.size(), b.size()});
    for (std::size_t i = 0; i < (ends_with_shorter_ ? shorter : longer); ++i) {
      if (i < a.size()) turns.push_back(std::move(a[i]));
      if (i < b.size()) turns.push_back(std::move(b[i]));
    }
    return turns;
  }

  std::size_t announced_length() const override {
    return first_->announced_length() + second_->announced_length();
  }

private:
  std::unique_ptr<Sampler> first_, second_;
  std::size_t shift_;
  bool ends_with_shorter_;
};

} // namespace

std::unique_ptr<Sampler> make_alternating_sampler(std::unique_ptr<Sampler> first,
                                                  std::unique_ptr<Sampler> second, std::size_t second_begins,
                                                  bool ends_with_shorter) {
  return std::make_unique<AlternatingSampler>(std::move(first), std::move(second), second_begins,
                                              ends_with_shorter);
}

} // namespace vlreid
