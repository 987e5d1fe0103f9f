#include "vlreid/train/batch_source.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>

#include "vlreid/base/random.h"
#include "vlreid/tensor/span.h"
#include "vlreid/tensor/transfer.h"

namespace vlreid {
namespace {

// Keeps the choice of sentences apart from what else is drawn for the same image: 'captions' in ASCII.
constexpr std::uint64_t kCaptionPurpose = 0x63617074696f6e73;

at::Tensor numbers(const std::vector<std::int64_t>& values) {
  return tensor_of<std::int64_t>(values, {static_cast<std::int64_t>(values.size())});
}

// The batch's images lie in memory that the device can read while the step before is computed.
TrainingBatchesOptions with_memory_for(TrainingBatchesOptions options, at::Device device) {
  options.memory = [device](std::size_t bytes) { return host_memory(bytes, device); };
  return options;
}

class ImageSource : public BatchSource {
public:
  ImageSource(std::span<const Record> records, const Sampler& sampler, const TrainingBatchesOptions& options,
              at::Device device)
      : batches_(records, sampler, with_memory_for(options, device)), streams_(device),
        height_(options.transform.height), width_(options.transform.width), device_(device) {}

  void start_epoch(std::int64_t epoch, std::int64_t first_batch) override {
    streams_.finish_uploads();
    batches_.start_epoch(static_cast<std::uint64_t>(epoch), static_cast<std::size_t>(first_batch));
  }
  std::int64_t batch_count() const override { return static_cast<std::int64_t>(batches_.batch_count()); }

  std::optional<Batch> next() override {
    // The pixels stay valid until the next batch: by then a CPU has done the step, and a GPU has a copy.
    streams_.finish_uploads();
    const TrainingBatch* batch = batches_.next();
    if (batch == nullptr) return std::nullopt;
    const auto count = static_cast<std::int64_t>(batch->items.size());
    const at::Tensor images = at::from_blob(batch->images.data(), {count, 3, height_, width_}, at::kFloat);
    const at::Tensor identities = numbers(batch->identities);
    return Batch{.items = batch->items,
                 .identities = on_device(identities, device_),
                 .cameras = numbers(batch->cameras),
                 .views = numbers(batch->views),
                 .images = streams_.upload(images),
                 .features = {},
                 .host_identities = identities};
  }
  double wait_seconds() const override { return batches_.wait_seconds(); }

private:
  TrainingBatches batches_;
  CopyStreams streams_; // behind what it copies from: it ends first
  std::int64_t height_, width_;
  at::Device device_;
};

// Those batches of another sampler that are of one set.
class PartSampler : public Sampler {
public:
  PartSampler(const Sampler& whole, std::size_t second_begins, bool is_second)
      : whole_(whole), second_begins_(second_begins), is_second_(is_second) {}

  BatchList batches(std::uint64_t epoch) const override {
    BatchList list = whole_.batches(epoch);
    std::erase_if(list, [&](const auto& items) { return (items.front() >= second_begins_) != is_second_; });
    return list;
  }
  std::size_t announced_length() const override { return whole_.announced_length(); }

private:
  const Sampler& whole_;
  std::size_t second_begins_;
  bool is_second_;
};

class TwoSizeSource : public BatchSource {
public:
  TwoSizeSource(std::span<const Record> records, const Sampler& sampler, std::size_t second_begins,
                const TrainingBatchesOptions& first, const TrainingBatchesOptions& second, at::Device device)
      : sampler_(sampler), second_begins_(second_begins),
        parts_{PartSampler(sampler, second_begins, false), PartSampler(sampler, second_begins, true)},
        sources_{ImageSource(records, parts_[0], first, device),
                 ImageSource(records, parts_[1], second, device)} {}

  void start_epoch(std::int64_t epoch, std::int64_t first_batch) override {
    turns_.clear();
    for (const auto& items : sampler_.batches(static_cast<std::uint64_t>(epoch)))
      turns_.push_back(items.front() >= second_begins_);
    next_ = static_cast<std::size_t>(first_batch);
    const std::int64_t seconds = std::count(turns_.begin(), turns_.begin() + first_batch, true);
    sources_[0].start_epoch(epoch, first_batch - seconds);
    sources_[1].start_epoch(epoch, seconds);
  }
  std::int64_t batch_count() const override { return std::ssize(turns_); }
  double wait_seconds() const override { return sources_[0].wait_seconds() + sources_[1].wait_seconds(); }

  std::optional<Batch> next() override {
    if (next_ >= turns_.size()) return std::nullopt;
    return sources_[turns_[next_++] ? 1 : 0].next();
  }

private:
  const Sampler& sampler_;
  std::size_t second_begins_;
  std::array<PartSampler, 2> parts_;
  std::array<ImageSource, 2> sources_;
  std::vector<bool> turns_; // of each batch of the epoch: whether it is the second set's
  std::size_t next_ = 0;
};

class FeatureSource : public BatchSource {
public:
  FeatureSource(std::span<const Record> records, const Sampler& sampler, at::Tensor features,
                at::Device device)
      : sampler_(sampler), features_(features.to(device)), device_(device) {
    std::vector<std::int64_t> labels;
    for (const Record& record : records)
      labels.push_back(record.identity);
    labels_ = numbers(labels);
  }

  void start_epoch(std::int64_t epoch, std::int64_t first_batch) override {
    batches_ = sampler_.batches(static_cast<std::uint64_t>(epoch));
    next_ = static_cast<std::size_t>(first_batch);
  }
  std::int64_t batch_count() const override { return static_cast<std::int64_t>(batches_.size()); }

  std::optional<Batch> next() override {
    if (next_ >= batches_.size()) return std::nullopt;
    const std::vector<std::size_t>& items = batches_[next_++];
    const at::Tensor rows = numbers({items.begin(), items.end()});
    const at::Tensor identities = labels_.index_select(0, rows);
    return Batch{.items = items,
                 .identities = on_device(identities, device_),
                 .cameras = {},
                 .views = {},
                 .images = {},
                 .features = features_.index_select(0, on_device(rows, device_)),
                 .host_identities = identities};
  }

private:
  const Sampler& sampler_;
  at::Tensor features_, labels_; // [N, E], [N] on the CPU
  at::Device device_;
  BatchList batches_;
  std::size_t next_ = 0;
};

class CaptionSource : public BatchSource {
public:
  CaptionSource(std::unique_ptr<BatchSource> images, TokenisedCaptions captions, std::uint64_t seed)
      : images_(std::move(images)), captions_(std::move(captions)), seed_(seed) {}

  void start_epoch(std::int64_t epoch, std::int64_t first_batch) override {
    epoch_ = static_cast<std::uint64_t>(epoch);
    images_->start_epoch(epoch, first_batch);
  }
  std::int64_t batch_count() const override { return images_->batch_count(); }
  double wait_seconds() const override { return images_->wait_seconds(); }

  std::optional<Batch> next() override {
    std::optional<Batch> batch = images_->next();
    if (!batch) return std::nullopt;
    std::vector<std::int64_t> rows;
    for (const std::size_t item : batch->items)
      rows.push_back(chosen_row(item));
    batch->tokens = captions_.tokens.index_select(0, numbers(rows));
    return batch;
  }

private:
  std::int64_t chosen_row(std::size_t item) const {
    const std::int64_t first = captions_.first_row[item], end = captions_.first_row[item + 1];
    Random random({seed_ ^ kCaptionPurpose, epoch_, item});
    return first + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(end - first)));
  }

  std::unique_ptr<BatchSource> images_;
  TokenisedCaptions captions_;
  std::uint64_t seed_, epoch_ = 1;
};

class SetSource : public BatchSource {
public:
  SetSource(std::unique_ptr<BatchSource> source, std::size_t second_begins, std::int64_t first_identities)
      : source_(std::move(source)), second_begins_(second_begins), first_identities_(first_identities) {}

  void start_epoch(std::int64_t epoch, std::int64_t first_batch) override {
    source_->start_epoch(epoch, first_batch);
  }
  std::int64_t batch_count() const override { return source_->batch_count(); }
  double wait_seconds() const override { return source_->wait_seconds(); }

  std::optional<Batch> next() override {
    std::optional<Batch> batch = source_->next();
    if (!batch || batch->items.front() < second_begins_) return batch;
    batch->set = 1;
    batch->identities = batch->identities - first_identities_;
    if (batch->host_identities.defined()) batch->host_identities = batch->host_identities - first_identities_;
    return batch;
  }

private:
  std::unique_ptr<BatchSource> source_;
  std::size_t second_begins_;
  std::int64_t first_identities_;
};

} // namespace

std::unique_ptr<BatchSource> make_set_source(std::unique_ptr<BatchSource> source, std::size_t second_begins,
                                             std::int64_t first_identities) {
  return std::make_unique<SetSource>(std::move(source), second_begins, first_identities);
}

std::unique_ptr<BatchSource> make_caption_source(std::unique_ptr<BatchSource> images,
                                                 TokenisedCaptions captions, std::uint64_t seed) {
  return std::make_unique<CaptionSource>(std::move(images), std::move(captions), seed);
}

std::unique_ptr<BatchSource> make_image_source(std::span<const Record> records, const Sampler& sampler,
                                               const TrainingBatchesOptions& options, at::Device device) {
  return std::make_unique<ImageSource>(records, sampler, options, device);
}

std::unique_ptr<BatchSource> make_two_size_source(std::span<const Record> records, const Sampler& sampler,
                                                  std::size_t second_begins,
                                                  const TrainingBatchesOptions& first,
                                                  const TrainingBatchesOptions& second, at::Device device) {
  return std::make_unique<TwoSizeSource>(records, sampler, second_begins, first, second, device);
}

std::unique_ptr<BatchSource> make_feature_source(std::span<const Record> records, const Sampler& sampler,
                                                 at::Tensor features, at::Device device) {
  return std::make_unique<FeatureSource>(records, sampler, std::move(features), device);
}

} // namespace vlreid
