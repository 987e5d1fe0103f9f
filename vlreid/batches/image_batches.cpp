#include "vlreid/batches/image_batches.h"

#include "vlreid/base/error.h"
#include "vlreid/image/decode.h"
#include "vlreid/image/image.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace vlreid {
namespace {

// One batch in the making. `messages[i]` is empty for an image that could be read.
struct Slot {
  std::vector<std::vector<float>> views; // [V][batch_size * pixels]
  std::vector<std::string> messages;
  std::size_t pending = 0;
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

  std::mutex mutex;
  std::condition_variable slot_free, slot_ready;
  std::vector<Slot> slots;
  std::size_t next_item = 0;  // to hand out
  std::size_t next_batch = 0; // to give to the consumer, counted from options.first
  bool is_stopping = false, has_given = false;
  std::exception_ptr error;
  double waited = 0;
  ImageBatch batch;
  std::vector<std::thread> threads;

  std::size_t begin_of(std::size_t number) const { return options.first + number * options.batch_size; }
  std::size_t size_of(std::size_t number) const {
    return begin_of(number) >= paths.size() ? 0
                                            : std::min(options.batch_size, paths.size() - begin_of(number));
  }
  Slot& slot_of(std::size_t number) { return slots[number % slots.size()]; }

  // Waits for room; false at the end.
  bool take(std::size_t& item) {
    std::unique_lock lock(mutex);
    slot_free.wait(lock, [&] {
      return is_stopping || next_item >= paths.size() || next_item < begin_of(next_batch + slots.size());
    });
    if (is_stopping || next_item >= paths.size()) return false;
    item = next_item++;
    return true;
  }

  void fill(std::size_t item, int thread, Image& image) {
    const std::size_t offset = item - options.first;
    Slot& slot = slot_of(offset / options.batch_size);
    const std::size_t place = offset % options.batch_size;
    try {
      load_image_into(paths[item], {}, image);
      for (std::size_t view = 0; view < options.views; ++view)
        transform(image, item, view, thread,
                  std::span(slot.views[view]).subspan(place * options.pixels, options.pixels));
    } catch (const Error& problem) {
      if (!is_about_the_image(problem.kind())) throw;
      slot.messages[place] = problem.what();
    }
    const std::lock_guard lock(mutex);
    if (--slot.pending == 0) slot_ready.notify_one();
  }

  void work(int thread) {
    try {
      Image image;
      std::size_t item = 0;
      while (take(item))
        fill(item, thread, image);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      slot_ready.notify_one();
    }
  }

  void prepare(std::size_t number) {
    Slot& slot = slot_of(number);
    slot.pending = size_of(number);
    for (std::string& message : slot.messages)
      message.clear();
  }

  // Closes the gaps that unreadable images left, and describes what remains.
  void describe(std::size_t number) {
    Slot& slot = slot_of(number);
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
      for (std::vector<float>& view : slot.views)
        std::copy_n(view.begin() + static_cast<std::ptrdiff_t>(place * options.pixels), options.pixels,
                    view.begin() + static_cast<std::ptrdiff_t>(to * options.pixels));
    }
    for (const std::vector<float>& view : slot.views)
      batch.views.emplace_back(view.data(), batch.items.size() * options.pixels);
  }
};

ImageBatches::ImageBatches(std::span<const std::string> paths, Transform transform,
                           const ImageBatchesOptions& options)
    : state_(std::make_unique<State>()) {
  VLREID_ASSERT(options.batch_size >= 1 && options.threads >= 1 && options.ahead >= 1 && options.views >= 1);
  State& state = *state_;
  state.paths = paths;
  state.transform = std::move(transform);
  state.options = options;
  state.next_item = options.first;
  state.slots.resize(options.ahead);
  for (Slot& slot : state.slots) {
    slot.views.assign(options.views, std::vector<float>(options.batch_size * options.pixels));
    slot.messages.resize(options.batch_size);
  }
  for (std::size_t number = 0; number < state.slots.size(); ++number)
    state.prepare(number);
  for (int thread = 0; thread < options.threads; ++thread)
    state.threads.emplace_back([&state, thread] { state.work(thread); });
}

ImageBatches::~ImageBatches() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_stopping = true;
  }
  state_->slot_free.notify_all();
  for (std::thread& thread : state_->threads)
    thread.join();
}

const ImageBatch* ImageBatches::next() {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  if (state.has_given) {
    state.prepare(state.next_batch + state.slots.size());
    ++state.next_batch;
    state.slot_free.notify_all();
  }
  state.has_given = false;
  const std::size_t number = state.next_batch;
  if (state.size_of(number) == 0) return nullptr;
  const auto start = std::chrono::steady_clock::now();
  state.slot_ready.wait(lock, [&] { return state.error || state.slot_of(number).pending == 0; });
  state.waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (state.error) std::rethrow_exception(state.error);
  state.describe(number);
  state.has_given = true;
  return &state.batch;
}

double ImageBatches::wait_seconds() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waited;
}

} // namespace vlreid
