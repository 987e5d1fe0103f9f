// A whole training run: dataset and weights -> stages of a recipe -> checkpoints, logs, scores, page. The
// folder (OUTPUT_DIR) holds everything: config.yaml, run.json, train_log.txt, metrics.jsonl, timing.jsonl,
// TensorBoard events, NAME_stage1_120.pth, NAME_60.pth, NAME_best.pth, state.safetensors, ranked.json,
// report.html. Interrupted by a signal it saves its state; killed, it goes on from the last state that was
// saved.
#pragma once

#include "vlreid/config/config.h"
#include "vlreid/train/precision.h"

#include <filesystem>
#include <string>

namespace vlreid {

struct TrainOptions {
  std::string weights; // to start from, instead of MODEL.PRETRAIN_PATH
  std::string device = "cpu";
  Precision precision = Precision::f32;
  std::int64_t accumulate = 1;
  bool recomputes_activations = false; // activation checkpointing: less memory, a third more work
  int only_stage = 0;                  // 1 or 2; 0: all
  bool resumes = false, overwrites = false;
  double save_every_seconds = 600;   // between states, besides CHECKPOINT_PERIOD
  int threads = 0;                   // that decode; 0: DATALOADER.NUM_WORKERS, at most the cores
  std::string version, command_line; // for run.json
};

// REQUIRES: config.output_dir. Throws Error; diverged (79) for a loss that is not finite.
void train(const Config& config, const TrainOptions& options);

// What would be done: shapes, trainable tensors, steps, and memory and time estimated from two steps that are
// run and thrown away. Writes nothing.
std::string dry_run(const Config& config, const TrainOptions& options);

} // namespace vlreid
