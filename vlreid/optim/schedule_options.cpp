#include "vlreid/optim/schedule.h"

namespace vlreid {

ScheduleOptions schedule_options(const StageOptions& stage) {
  return {.base_rate = stage.learning_rate,
          .epochs = stage.max_epochs,
          .warmup_start_rate = stage.warmup_start_rate,
          .minimum_rate = stage.minimum_rate,
          .warmup_epochs = stage.warmup_epochs,
          .warmup_factor = stage.warmup_factor,
          .warmup_iterations = stage.warmup_iterations,
          .warmup_method = stage.warmup_method};
}

ScheduleOptions schedule_options(const TuningOptions& stage) {
  ScheduleOptions options = schedule_options(static_cast<const StageOptions&>(stage));
  options.steps = stage.steps;
  options.gamma = stage.gamma;
  return options;
}

} // namespace vlreid
