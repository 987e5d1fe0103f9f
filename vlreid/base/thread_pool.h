// A fixed set of worker threads for loops over independent items. One loop runs at a time per pool; the
// calling thread works too. The first exception of a worker ends the loop early and is rethrown to the
// caller.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace vlreid {

// Cores this process may use (its affinity mask), at least 1.
int available_cores();

class ThreadPool {
public:
  // REQUIRES: threads >= 1; the caller counts as one of them.
  explicit ThreadPool(int threads = available_cores());
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  int size() const;

  // Calls body(begin, end, worker) for disjoint ranges of at most `grain` items that cover [0, count); worker
  // in [0, size()) tells threads apart for scratch memory. Ranges are handed out in ascending order, first
  // come first served.
  void parallel_for(std::size_t count, std::size_t grain,
                    const std::function<void(std::size_t begin, std::size_t end, int worker)>& body);

private:
  struct State;
  std::unique_ptr<State> state_;
};

// One pool for the whole process, with available_cores() threads.
ThreadPool& shared_pool();

} // namespace vlreid
