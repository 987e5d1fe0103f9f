#include "vlreid/optim/schedule.h"

namespace vlreid {

Schedule make_constant(const ScheduleOptions& options) {
  return [rate = options.base_rate](double) { return rate; };
}

} // namespace vlreid
