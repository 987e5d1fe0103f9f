#include "vlreid/batches/training_batches.h"

#include "vlreid/base/error.h"
#include "vlreid/batches/batch_ring.h"
#include "vlreid/batches/image_cache.h"
#include "vlreid/batches/sampler.h"
#include "vlreid/image/decode.h"

#include <algorithm>

namespace vlreid {
namespace {

// Third word of the key, together with the place in the epoch: keeps augmentation apart from other uses of
// (seed, epoch).
constexpr std::uint64_t kAugmentation = std::uint64_t{1} << 61;

// One thread's tools.
struct Worker {
  TrainTransform transform;
  Image decoded = {}, resized = {};
};

} // namespace

struct TrainingBatches::State {
  std::span<const Record> records;
  const Sampler& sampler;
  TrainingBatchesOptions options;
  ImageCache cache;
  std::vector<Worker> workers;
  std::vector<HostBuffer<float>> slots; // [ahead][largest batch * pixels]

  std::uint64_t epoch = 0;
  BatchList list;
  std::vector<std::size_t> begins; // place in the epoch of each batch's first image
  TrainingBatch batch;
  std::unique_ptr<BatchRing> ring; // the last, so that its threads end first

  State(std::span<const Record> all, const Sampler& order, const TrainingBatchesOptions& chosen)
      : records(all), sampler(order), options(chosen),
        cache(all.size(), pixels(), chosen.cache_bytes.value_or(free_memory_bytes() / 2)),
        slots(chosen.ahead) {
    VLREID_ASSERT(chosen.threads >= 1 && chosen.ahead >= 1);
    for (int thread = 0; thread < chosen.threads; ++thread)
      workers.push_back({.transform = TrainTransform(chosen.transform)});
    ring = std::make_unique<BatchRing>(
        chosen.threads, chosen.ahead,
        [this](const BatchRing::Place& place, int thread) { fill(place, workers[thread]); });
  }

  // Numbers of one image.
  std::size_t pixels() const { return std::size_t{3} * options.transform.height * options.transform.width; }

  // The image of the record, resized.
  const Image& load(std::size_t item, Worker& worker) {
    if (const Image* kept = cache.find(item)) return *kept;
    load_image_into(records[item].path, {}, worker.decoded);
    worker.transform.resize(worker.decoded, worker.resized);
    cache.keep(item, worker.resized);
    return worker.resized;
  }

  void fill(const BatchRing::Place& place, Worker& worker) {
    Random random({options.seed, epoch, kAugmentation + begins[place.batch] + place.index});
    const Augmentation augmentation = draw_augmentation(options.transform, random);
    worker.transform.run(load(list[place.batch][place.index], worker), augmentation,
                         slots[place.slot].all().subspan(place.index * pixels(), pixels()));
  }

  // While no thread fills.
  void take_list(BatchList made, std::uint64_t number) {
    list = std::move(made);
    epoch = number;
    begins.clear();
    std::size_t begin = 0, largest = 0;
    for (const auto& items : list) {
      begins.push_back(begin);
      begin += items.size();
      largest = std::max(largest, items.size());
    }
    for (HostBuffer<float>& slot : slots)
      if (slot.size() < largest * pixels()) slot = HostBuffer<float>(largest * pixels(), options.memory);
  }

  void describe(std::size_t number) {
    batch.number = number;
    batch.items = list[number];
    batch.identities.clear();
    batch.cameras.clear();
    batch.views.clear();
    for (const std::size_t item : batch.items) {
      batch.identities.push_back(records[item].identity);
      batch.cameras.push_back(records[item].camera);
      batch.views.push_back(records[item].view);
    }
    batch.images = slots[number % slots.size()].all().first(batch.items.size() * pixels());
  }
};

TrainingBatches::TrainingBatches(std::span<const Record> records, const Sampler& sampler,
                                 const TrainingBatchesOptions& options)
    : state_(std::make_unique<State>(records, sampler, options)) {}

TrainingBatches::~TrainingBatches() = default;

void TrainingBatches::start_epoch(std::uint64_t epoch, std::size_t first_batch) {
  State& state = *state_;
  BatchList list = state.sampler.batches(epoch);
  std::vector<std::size_t> sizes;
  for (const auto& items : list) {
    VLREID_ASSERT(!items.empty());
    VLREID_ASSERT(std::ranges::all_of(items, [&](std::size_t item) { return item < state.records.size(); }));
    sizes.push_back(items.size());
  }
  state.ring->start(std::move(sizes), first_batch, [&] { state.take_list(std::move(list), epoch); });
}

std::size_t TrainingBatches::batch_count() const {
  return state_->list.size();
}

const TrainingBatch* TrainingBatches::next() {
  const std::optional<std::size_t> number = state_->ring->next();
  if (!number) return nullptr;
  state_->describe(*number);
  return &state_->batch;
}

double TrainingBatches::wait_seconds() const {
  return state_->ring->wait_seconds();
}

std::size_t TrainingBatches::cached_images() const {
  return state_->cache.size();
}

} // namespace vlreid
