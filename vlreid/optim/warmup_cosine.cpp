#include "vlreid/optim/schedule.h"

#include <cmath>
#include <numbers>

namespace vlreid {

// Warm-up from the start rate towards the base rate; the cosine is that of the whole length, so it is met
// somewhat below its top.
Schedule make_warmup_cosine(const ScheduleOptions& options) {
  return [o = options](double t) {
    const auto warmup = static_cast<double>(o.warmup_epochs), epochs = static_cast<double>(o.epochs);
    if (t < warmup) return o.warmup_start_rate + t * (o.base_rate - o.warmup_start_rate) / warmup;
    if (t >= epochs) return o.minimum_rate;
    const double angle = std::numbers::pi * t / epochs;
    return o.minimum_rate + 0.5 * (o.base_rate - o.minimum_rate) * (1 + std::cos(angle));
  };
}

} // namespace vlreid
