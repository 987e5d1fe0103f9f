#include "vlreid/batches/image_batches.h"

#include "vlreid/base/error.h"
#include "vlreid/batches/batch_ring.h"
#include "vlreid/image/decode.h"
#include "vlreid/image/image.h"

#include <algorithm>

namespace vlreid {
namespace {

// One batch in the making. `messages[i]` is empty for an image that could be read.
struct Slot {
  std::vector<HostBuffer<std::uint8_t>> views; // [V][batch_size * pixels]
  std::vector<std::string> messages;
};

bool is_about_the_image(ErrorKind kind) {
  return kind == ErrorKind::data || kind == ErrorKind::missing || kind == ErrorKind::permission ||
         kind == ErrorKind::io;
}

} // namespace

struct ImageBatches::State {
  std::span<const std::string> paths;
  Transform transform;
  ImageBatchesOptions options;
  std::vector<Slot> slots;
  std::vector<Image> decoded; // of each thread
  ImageBatch batch = {};
  std::unique_ptr<BatchRing> ring = nullptr; // the last, so that its threads end first

  std::size_t begin_of(std::size_t number) const { return options.first + number * options.batch_size; }
  std::size_t size_of(std::size_t number) const {
    return std::min(options.batch_size, paths.size() - begin_of(number));
  }

  void fill(const BatchRing::Place& place, int thread) {
    const std::size_t item = begin_of(place.batch) + place.index;
    Slot& slot = slots[place.slot];
    Image& image = decoded[static_cast<std::size_t>(thread)];
    slot.messages[place.index].clear();
    try {
      load_image_into(paths[item], {}, image);
      for (std::size_t view = 0; view < options.views; ++view)
        transform(image, item, view, thread,
                  slot.views[view].all().subspan(place.index * options.pixels, options.pixels));
    } catch (const Error& problem) {
      if (!is_about_the_image(problem.kind())) throw;
      slot.messages[place.index] = problem.what();
    }
  }

  // Closes the gaps that unreadable images left, and describes what remains.
  void describe(std::size_t number) {
    Slot& slot = slots[number % slots.size()];
    batch = {.items = {}, .unreadable = {}, .views = {}, .end_item = begin_of(number) + size_of(number)};
    for (std::size_t place = 0; place < size_of(number); ++place) {
      const std::size_t item = begin_of(number) + place;
      if (!slot.messages[place].empty()) {
        batch.unreadable.push_back({item, slot.messages[place]});
        continue;
      }
      const std::size_t to = batch.items.size();
      batch.items.push_back(item);
      if (to == place) continue;
      for (const HostBuffer<std::uint8_t>& view : slot.views)
        std::ranges::copy(view.all().subspan(place * options.pixels, options.pixels),
                          view.all().subspan(to * options.pixels).begin());
    }
    for (const HostBuffer<std::uint8_t>& view : slot.views)
      batch.views.emplace_back(view.all().first(batch.items.size() * options.pixels));
  }
};

ImageBatches::ImageBatches(std::span<const std::string> paths, Transform transform,
                           const ImageBatchesOptions& options)
    : state_(std::make_unique<State>(
          State{.paths = paths,
                .transform = std::move(transform),
                .options = options,
                .slots = std::vector<Slot>(options.ahead),
                .decoded = std::vector<Image>(static_cast<std::size_t>(options.threads))})) {
  VLREID_ASSERT(options.batch_size >= 1 && options.threads >= 1 && options.ahead >= 1 && options.views >= 1);
  State& state = *state_;
  for (Slot& slot : state.slots) {
    for (std::size_t view = 0; view < options.views; ++view)
      slot.views.emplace_back(options.batch_size * options.pixels, options.memory);
    slot.messages.resize(options.batch_size);
  }
  std::vector<std::size_t> sizes;
  for (std::size_t number = 0; state.begin_of(number) < paths.size(); ++number)
    sizes.push_back(state.size_of(number));
  state.ring = std::make_unique<BatchRing>(
      options.threads, options.ahead,
      [&state](const BatchRing::Place& place, int thread) { state.fill(place, thread); });
  state.ring->start(std::move(sizes), 0, [] {});
}

ImageBatches::~ImageBatches() = default;

const ImageBatch* ImageBatches::next() {
  const std::optional<std::size_t> number = state_->ring->next();
  if (!number) return nullptr;
  state_->describe(*number);
  return &state_->batch;
}

double ImageBatches::wait_seconds() const {
  return state_->ring->wait_seconds();
}

} // namespace vlreid
