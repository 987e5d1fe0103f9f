#include "vlreid/retrieval/parallel.h"

#include <ATen/Parallel.h>

#include <atomic>

namespace vlreid {

int worker_count() {
  return at::get_num_threads();
}

void for_each_block(std::int64_t count, const std::function<void(std::int64_t block, int worker)>& body) {
  std::atomic<std::int64_t> next = 0;
  at::parallel_for(0, worker_count(), 1, [&](std::int64_t first_worker, std::int64_t) {
    for (std::int64_t block = next++; block < count; block = next++)
      body(block, static_cast<int>(first_worker));
  });
}

} // namespace vlreid
