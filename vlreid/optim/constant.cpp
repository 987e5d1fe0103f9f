#include "vlreid/optim/schedule.h"

namespace vlreid {

Schedule make_constant(const ScheduleOptions& options) {
  return [rate = options.base_rate](std::int64_t) { return rate; };
}

} // namespace vlreid
