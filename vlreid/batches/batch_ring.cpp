#include "vlreid/batches/batch_ring.h"

#include "vlreid/base/error.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace vlreid {

struct BatchRing::State {
  Fill fill;
  std::vector<std::size_t> pending; // of each slot: places that are not filled

  mutable std::mutex mutex;
  std::condition_variable place_free, batch_ready, threads_idle;
  std::vector<std::size_t> sizes;
  std::size_t next_batch = 0, next_index = 0; // to hand out
  std::size_t consumed = 0;                   // batch that the consumer has or gets next
  std::size_t filling = 0;                    // threads at work
  bool is_stopping = false, has_given = false;
  std::exception_ptr error;
  double waited = 0;
  std::vector<std::thread> threads;

  bool has_place() const { return next_batch < sizes.size() && next_batch < consumed + pending.size(); }

  void prepare_slot(std::size_t batch) {
    if (batch < sizes.size()) pending[batch % pending.size()] = sizes[batch];
  }

  Place take_place() {
    const Place place{.batch = next_batch, .slot = next_batch % pending.size(), .index = next_index};
    if (++next_index == sizes[next_batch]) {
      ++next_batch;
      next_index = 0;
    }
    return place;
  }

  // The lock is held except while filling.
  void work(int thread) {
    std::unique_lock lock(mutex);
    while (true) {
      place_free.wait(lock, [&] { return is_stopping || error || has_place(); });
      if (is_stopping || error) return;
      const Place place = take_place();
      ++filling;
      lock.unlock();
      std::exception_ptr problem = try_fill(place, thread);
      lock.lock();
      --filling;
      if (problem && !error) error = problem;
      if (--pending[place.slot] == 0 || error) batch_ready.notify_one();
      if (filling == 0) threads_idle.notify_one();
    }
  }

  std::exception_ptr try_fill(const Place& place, int thread) const {
    try {
      fill(place, thread);
      return nullptr;
    } catch (...) {
      return std::current_exception();
    }
  }
};

BatchRing::BatchRing(int threads, std::size_t slots, Fill fill) : state_(std::make_unique<State>()) {
  VLREID_ASSERT(threads >= 1 && slots >= 1);
  State& state = *state_;
  state.fill = std::move(fill);
  state.pending.resize(slots);
  for (int thread = 0; thread < threads; ++thread)
    state.threads.emplace_back([&state, thread] { state.work(thread); });
}

BatchRing::~BatchRing() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_stopping = true;
  }
  state_->place_free.notify_all();
  for (std::thread& thread : state_->threads)
    thread.join();
}

void BatchRing::start(std::vector<std::size_t> sizes, std::size_t first,
                      const std::function<void()>& prepare) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.next_batch = state.sizes.size(); // nothing more is handed out
  state.threads_idle.wait(lock, [&] { return state.filling == 0; });
  prepare();
  state.sizes = std::move(sizes);
  state.next_batch = state.consumed = first;
  state.next_index = 0;
  state.has_given = false;
  for (std::size_t slot = 0; slot < state.pending.size(); ++slot)
    state.prepare_slot(first + slot);
  state.place_free.notify_all();
}

std::optional<std::size_t> BatchRing::next() {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  if (state.has_given) {
    state.prepare_slot(state.consumed + state.pending.size());
    ++state.consumed;
    state.place_free.notify_all();
  }
  state.has_given = false;
  if (state.error) std::rethrow_exception(state.error);
  if (state.consumed >= state.sizes.size()) return std::nullopt;
  const auto start = std::chrono::steady_clock::now();
  const std::size_t slot = state.consumed % state.pending.size();
  state.batch_ready.wait(lock, [&] { return state.error || state.pending[slot] == 0; });
  state.waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (state.error) std::rethrow_exception(state.error);
  state.has_given = true;
  return state.consumed;
}

double BatchRing::wait_seconds() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waited;
}

} // namespace vlreid
