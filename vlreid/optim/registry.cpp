#include "vlreid/optim/schedule.h"

namespace vlreid {

const Registry<ScheduleFactory>& schedules() {
  static const Registry<ScheduleFactory> registry = [] {
    Registry<ScheduleFactory> made("schedule");
#define VLREID_BUILTIN(name, description) made.add(#name, make_##name, description);
#include "vlreid/optim/builtin.def"
#undef VLREID_BUILTIN
    return made;
  }();
  return registry;
}

} // namespace vlreid
