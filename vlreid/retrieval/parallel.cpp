#include "vlreid/retrieval/parallel.h"

#include "vlreid/base/thread_pool.h"

namespace vlreid {

int worker_count() {
  return shared_pool().size();
}

void for_each_block(std::int64_t count, const std::function<void(std::int64_t block, int worker)>& body) {
  shared_pool().parallel_for(
      static_cast<std::size_t>(count), 1,
      [&](std::size_t block, std::size_t, int worker) { body(static_cast<std::int64_t>(block), worker); });
}

} // namespace vlreid
