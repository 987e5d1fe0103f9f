// Learning rate of each epoch (spec/reference-behaviour.md, sections 5 and 6). A family (builtin.def):
// warmup_cosine (stage 1), warmup_multistep (stage 2), constant. Pure; thread safe.
#pragma once

#include "vlreid/base/registry.h"
#include "vlreid/config/options.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vlreid {

struct ScheduleOptions {
  double base_rate = 3.5e-4;
  std::int64_t epochs = 120; // cosine: t = epochs is exactly minimum_rate
  // Cosine.
  double warmup_start_rate = 1e-5;
  double minimum_rate = 1e-6;
  std::int64_t warmup_epochs = 5;
  // Multi-step.
  double warmup_factor = 0.1;
  std::int64_t warmup_iterations = 10;  // epochs, as the key SOLVER...WARMUP_ITERS is used
  std::string warmup_method = "linear"; // linear, constant
  std::vector<std::int64_t> steps = {30, 50};
  double gamma = 0.1;
};

// What a configuration says: SOLVER.STAGE1 for the cosine; SOLVER.STAGE2, or SOLVER itself in a one-stage
// file, for the multi-step.
ScheduleOptions schedule_options(const StageOptions& stage);
ScheduleOptions schedule_options(const TuningOptions& stage);

// epoch counts from 1; between two epochs lies the rate of a step within one, where the method has that.
using Schedule = std::function<double(double epoch)>;
using ScheduleFactory = Schedule (*)(const ScheduleOptions& options);

#define VLREID_BUILTIN(name, description) Schedule make_##name(const ScheduleOptions& options);
#include "vlreid/optim/builtin.def"
#undef VLREID_BUILTIN

const Registry<ScheduleFactory>& schedules();

} // namespace vlreid
