// Where a stage's batches come from: augmented images decoded ahead by threads, or rows of cached features.
// Both follow a sampler, so that an epoch can be entered at any batch with the same result.
#pragma once

#include "vlreid/batches/sampler.h"
#include "vlreid/batches/training_batches.h"
#include "vlreid/train/step.h"

#include <c10/core/Device.h>

#include <memory>
#include <optional>
#include <span>

namespace vlreid {

class BatchSource {
public:
  virtual ~BatchSource() = default;
  virtual void start_epoch(std::int64_t epoch, std::int64_t first_batch) = 0;
  virtual std::int64_t batch_count() const = 0; // of the started epoch
  virtual std::optional<Batch> next() = 0;      // none at the end of the epoch
  // Seconds that next() has waited for images, over all epochs.
  virtual double wait_seconds() const { return 0; }
};

// REQUIRES of all three: `records` and `sampler` outlive the source.
std::unique_ptr<BatchSource> make_image_source(std::span<const Record> records, const Sampler& sampler,
                                               const TrainingBatchesOptions& options, at::Device device);

// The same for two sets that take turns in images of their own sizes: items from `second_begins` on are the
// second's.
std::unique_ptr<BatchSource> make_two_size_source(std::span<const Record> records, const Sampler& sampler,
                                                  std::size_t second_begins,
                                                  const TrainingBatchesOptions& first,
                                                  const TrainingBatchesOptions& second, at::Device device);

// features [N, E], a row per record.
std::unique_ptr<BatchSource> make_feature_source(std::span<const Record> records, const Sampler& sampler,
                                                 at::Tensor features, at::Device device);

// Sentences as tokens, those of image i in rows first_row[i] .. first_row[i + 1].
struct TokenisedCaptions {
  at::Tensor tokens; // [L, T] int64
  std::vector<std::int64_t> first_row;
};

// The batches of another source with the set that they are of: items from `second_begins` on are the
// second's, whose identities are counted from 0 again.
std::unique_ptr<BatchSource> make_set_source(std::unique_ptr<BatchSource> source, std::size_t second_begins,
                                             std::int64_t first_identities);

// The images of another source, each with one of its sentences, another in every epoch: which one follows
// from (seed, epoch, image) alone.
std::unique_ptr<BatchSource> make_caption_source(std::unique_ptr<BatchSource> images,
                                                 TokenisedCaptions captions, std::uint64_t seed);

} // namespace vlreid
