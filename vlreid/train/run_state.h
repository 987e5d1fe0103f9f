// The state of a training run between two batches, whole: a run resumed from it goes on bit-equal to one that
// was never stopped. One safetensors file, replaced atomically: "model.*" (weights and buffers), "trainer.*"
// (moments, centres, scale), and in its metadata the place in the run and the running means.
#pragma once

#include "vlreid/weights/state_dict.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace vlreid {

// Sums since the epoch began, for the running means of the log.
struct EpochMeans {
  double loss = 0, accuracy = 0;
  std::int64_t batches = 0;

  double mean_loss() const { return batches == 0 ? 0 : loss / static_cast<double>(batches); }
  double mean_accuracy() const { return batches == 0 ? 0 : accuracy / static_cast<double>(batches); }
};

struct RunPlace {
  std::size_t stage = 0;  // in the recipe's list
  std::int64_t epoch = 1; // the one that is going on
  std::int64_t batch = 0; // done of it
};

struct RunState {
  RunPlace place;
  EpochMeans means = {};
  double best_map = -1;               // of the evaluations so far
  std::uint64_t log_bytes = 0;        // of train_log.txt
  std::string config = {};            // the effective options, which must be the same when resuming
  StateDict model = {}, trainer = {}; // trainer: empty at the beginning of a stage
};

inline constexpr const char* kStateFile = "state.safetensors";

void save_run_state(const std::filesystem::path& path, const RunState& state);
// Nothing when there is no such file; a damaged one is ErrorKind::data.
std::optional<RunState> load_run_state(const std::filesystem::path& path);

} // namespace vlreid
