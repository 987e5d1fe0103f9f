// Records -> augmented float batches in a sampler's order. Threads decode and augment ahead of the consumer
// into a ring of reused buffers; resized images stay in memory as far as they fit, and from then on an epoch
// is only flip, crop, normalise and erase. What a batch holds follows from (seed, epoch, place in the epoch),
// not from threads or cache, so an epoch can be resumed in its middle. One consumer; no LibTorch here.
//
//     TrainingBatches batches(dataset.train, *sampler, {.seed = 1});
//     batches.start_epoch(1);
//     while (const TrainingBatch* batch = batches.next()) step(*batch);
#pragma once

#include "vlreid/batches/host_memory.h"
#include "vlreid/datasets/dataset.h"
#include "vlreid/transforms/train_transform.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace vlreid {

class Sampler;

struct TrainingBatch {
  std::size_t number = 0;         // within the epoch, from 0
  std::vector<std::size_t> items; // which records it holds, in the sampler's order
  std::vector<std::int64_t> identities, cameras, views;
  std::span<float> images; // [B, 3, H, W]
};

struct TrainingBatchesOptions {
  TrainTransformOptions transform;
  std::uint64_t seed = 0; // of the augmentation; different for each rank
  int threads = 2;        // that decode and augment
  std::size_t ahead = 3;  // batches in flight
  // For resized images, H * W * 3 bytes each: 0 none; unset: half of the memory that is free at the start.
  std::optional<std::size_t> cache_bytes = {};
  HostMemory memory = {};
};

class TrainingBatches {
public:
  // REQUIRES: `records` and `sampler` outlive this object.
  TrainingBatches(std::span<const Record> records, const Sampler& sampler,
                  const TrainingBatchesOptions& options);
  TrainingBatches(const TrainingBatches&) = delete;
  TrainingBatches& operator=(const TrainingBatches&) = delete;
  ~TrainingBatches();

  // Goes to a batch of an epoch, at any time; nothing comes before the first call.
  void start_epoch(std::uint64_t epoch, std::size_t first_batch = 0);
  // Of the started epoch, those before first_batch included.
  std::size_t batch_count() const;

  // The next batch, or nullptr at the end of the epoch; valid until the next call or start_epoch. An image
  // that cannot be read is an error with its path here, and ends this object's work.
  const TrainingBatch* next();

  // How long next() has waited for images, in seconds, over all epochs.
  double wait_seconds() const;
  // Images kept in memory by now.
  std::size_t cached_images() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace vlreid
