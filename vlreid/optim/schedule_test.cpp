#include "vlreid/optim/schedule.h"

#include "tests/support/golden.h"
#include "vlreid/config/config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace vlreid {
namespace {

// The file holds 9 significant digits.
constexpr double kRelative = 5e-9, kExact = 1e-12;

void expect_rates(const Schedule& schedule, const nlohmann::json& rates, const std::string& what,
                  double tolerance = kRelative) {
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const auto expected = rates[i].get<double>();
    EXPECT_NEAR(schedule(static_cast<double>(i) + 1), expected, tolerance * expected)
        << what << ", epoch " << i + 1;
  }
}

void expect_stage(const char* name, const ScheduleOptions& options, const nlohmann::json& stage,
                  const std::string& what) {
  EXPECT_EQ(options.epochs, stage["epochs"].get<std::int64_t>()) << what;
  EXPECT_EQ(options.epochs, static_cast<std::int64_t>(stage["lr"].size())) << what;
  EXPECT_DOUBLE_EQ(options.base_rate, stage["base_lr"].get<double>()) << what;
  expect_rates(schedules().at(name)(options), stage["lr"], what);
}

void expect_file(const std::filesystem::path& path, const nlohmann::json& stages) {
  const Config config = load_config(path);
  const SolverOptions& solver = config.solver;
  EXPECT_EQ(config.model.prompt == "none", stages["kind"] == "baseline") << path;
  const std::string what = path.filename().string();
  if (stages["kind"] == "baseline") {
    expect_stage("warmup_multistep", schedule_options(solver.single), stages["single"], what);
    return;
  }
  expect_stage("warmup_cosine", schedule_options(solver.stage1), stages["stage1"], what + " stage 1");
  expect_stage("warmup_multistep", schedule_options(solver.stage2), stages["stage2"], what + " stage 2");
}

TEST(Schedules, EveryEpochOfEveryFileOfTheReferences) {
  VLREID_GOLDEN(path, "clipreid/schedules.json");
  const nlohmann::json facts = read_golden_json("clipreid/schedules.json");
  for (const auto& [file, stages] : facts["CLIP-ReID"]["schedules"].items())
    expect_file(test_data("../" + file), stages);
  expect_file(test_data("../configs/person/vit_ted.yml"),
              facts["FT"]["schedules"]["configs/person/vit_clipreid.yml"]);
}

TEST(Schedules, LinearAndConstantWarmUp) {
  VLREID_GOLDEN(path, "clipreid/schedules.json");
  for (const nlohmann::json& made :
       read_golden_json("clipreid/schedules.json")["CLIP-ReID"]["schedules_synthetic"]) {
    const Schedule schedule = make_warmup_multistep({.base_rate = made["BASE_LR"],
                                                     .warmup_factor = made["WARMUP_FACTOR"],
                                                     .warmup_iterations = made["WARMUP_ITERS"],
                                                     .warmup_method = made["WARMUP_METHOD"],
                                                     .steps = made["STEPS"].get<std::vector<std::int64_t>>(),
                                                     .gamma = made["GAMMA"]});
    expect_rates(schedule, made["lr"], made["WARMUP_METHOD"]);
  }
}

TEST(Schedules, OfMultimodalReid) {
  VLREID_GOLDEN(path, "multimodal/schedules.json");
  const nlohmann::json facts = read_golden_json("multimodal/schedules.json");
  const Config config = load_config(test_data("../configs/multimodal/coop.yml"));
  for (const auto& [name, made] : facts["stage1_cosine"].items()) {
    ScheduleOptions options = schedule_options(config.solver.stage1);
    options.epochs = static_cast<std::int64_t>(made["lr_epoch_1_to_T"].size());
    expect_rates(make_warmup_cosine(options), made["lr_epoch_1_to_T"], name, kExact);
  }
  for (const auto& [name, made] : facts["stage2_warmup_multistep"].items())
    expect_rates(make_warmup_multistep(schedule_options(config.solver.stage2)), made["lr_epoch_0_to_T-1"],
                 name, kExact);
}

// Base 5e-6: 0.19 of it in epoch 1, all of it in epoch 10, a tenth from 30 on, a hundredth from 50 on.
TEST(Schedules, MultistepByHand) {
  const Schedule schedule = make_warmup_multistep({.base_rate = 5e-6});
  for (const auto& [epoch, factor] :
       {std::pair{1, 0.19}, {10, 1.0}, {29, 1.0}, {30, 0.1}, {49, 0.1}, {50, 0.01}})
    EXPECT_DOUBLE_EQ(schedule(epoch), 5e-6 * factor) << epoch;
}

TEST(Schedules, CosineEndsAtTheMinimum) {
  const Schedule schedule = make_warmup_cosine({.epochs = 3, .minimum_rate = 1e-6, .warmup_epochs = 0});
  EXPECT_EQ(schedule(3), 1e-6);
  EXPECT_EQ(schedule(4), 1e-6);
}

TEST(Schedules, ConstantIsConstant) {
  EXPECT_EQ(make_constant({.base_rate = 0.5})(1), 0.5);
  EXPECT_EQ(make_constant({.base_rate = 0.5})(1000), 0.5);
}

TEST(Schedules, StepsOutOfOrderAreAnError) {
  EXPECT_THROW(make_warmup_multistep({.steps = {50, 30}}), Error);
}

} // namespace
} // namespace vlreid
