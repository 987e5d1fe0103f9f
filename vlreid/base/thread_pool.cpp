#include "vlreid/base/thread_pool.h"

#include "vlreid/base/error.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <sched.h>
#include <thread>
#include <vector>

namespace vlreid {

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0)
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return std::max(1, CPU_COUNT(&set));
}

namespace {

// A thread looks so often for what it waits for before it sleeps: some 20 to 40 microseconds, more than lies
// between two loops of one computation, and too little to take a core from anybody.
constexpr int kLooks = 1000;

void look_for(const auto& condition) {
  for (int i = 0; i < kLooks && !condition(); ++i) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

} // namespace

struct ThreadPool::State {
  using Body = std::function<void(std::size_t, std::size_t, int)>;

  std::mutex one_loop_at_a_time;
  std::mutex mutex;
  std::condition_variable work_ready, work_done;
  std::vector<std::thread> threads;
  bool stopping = false;
  std::atomic<std::uint64_t> generation = 0;
  std::atomic<int> busy = 0;

  // The loop in progress.
  const Body* body = nullptr;
  std::size_t count = 0, grain = 1;
  std::atomic<std::size_t> next{0};
  std::exception_ptr error;

  void run_ranges(int worker) {
    try {
      while (true) {
        const std::size_t begin = next.fetch_add(grain);
        if (begin >= count) return;
        (*body)(begin, std::min(begin + grain, count), worker);
      }
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  }

  void work(int worker) {
    std::uint64_t seen = 0;
    while (true) {
      look_for([&] { return generation != seen; });
      {
        std::unique_lock lock(mutex);
        work_ready.wait(lock, [&] { return stopping || generation != seen; });
        if (stopping) return;
        seen = generation;
      }
      run_ranges(worker);
      if (--busy > 0) continue;
      const std::lock_guard lock(mutex);
      work_done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  VLREID_ASSERT(threads >= 1);
  for (int worker = 1; worker < threads; ++worker)
    state_->threads.emplace_back([state = state_.get(), worker] { state->work(worker); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work_ready.notify_all();
  for (std::thread& thread : state_->threads)
    thread.join();
}

int ThreadPool::size() const {
  return static_cast<int>(state_->threads.size()) + 1;
}

void ThreadPool::parallel_for(std::size_t count, std::size_t grain,
                              const std::function<void(std::size_t, std::size_t, int)>& body) {
  VLREID_ASSERT(grain >= 1);
  State& state = *state_;
  const std::lock_guard one(state.one_loop_at_a_time);
  {
    const std::lock_guard lock(state.mutex);
    state.body = &body;
    state.count = count;
    state.grain = grain;
    state.next = 0;
    state.error = nullptr;
    state.busy = static_cast<int>(state.threads.size());
    ++state.generation;
  }
  state.work_ready.notify_all();
  state.run_ranges(0);
  look_for([&] { return state.busy == 0; });
  std::unique_lock lock(state.mutex);
  state.work_done.wait(lock, [&] { return state.busy == 0; });
  if (state.error) std::rethrow_exception(state.error);
}

ThreadPool& shared_pool() {
  static ThreadPool pool;
  return pool;
}

} // namespace vlreid
