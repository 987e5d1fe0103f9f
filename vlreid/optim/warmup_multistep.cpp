#include "vlreid/optim/schedule.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <cmath>

namespace vlreid {

namespace {

double warmup(const ScheduleOptions& o, double epoch) {
  const auto length = static_cast<double>(o.warmup_iterations);
  if (epoch >= length) return 1;
  if (o.warmup_method == "constant") return o.warmup_factor;
  const double part = epoch / length;
  return o.warmup_factor * (1 - part) + part;
}

} // namespace

// The references step the schedule before the epoch: epoch 1 has index 1, and a step takes effect in the
// epoch of its own number.
Schedule make_warmup_multistep(const ScheduleOptions& options) {
  VLREID_REQUIRE(std::is_sorted(options.steps.begin(), options.steps.end()), ErrorKind::config,
                 .place = "STEPS", .found = "epochs that are not in ascending order",
                 .expected = "ascending epochs such as [30, 50]");
  return [o = options](double epoch) {
    const auto passed = std::ranges::count_if(
        o.steps, [epoch](std::int64_t step) { return static_cast<double>(step) <= epoch; });
    return o.base_rate * warmup(o, epoch) * std::pow(o.gamma, static_cast<double>(passed));
  };
}

} // namespace vlreid
