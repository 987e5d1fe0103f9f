#include "vlreid/nn/openmp_threads.h"

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <semaphore>
#include <thread>

namespace vlreid {
namespace {

constexpr std::int64_t kEnoughForAllThreads = std::int64_t{1} << 20;

void start_sleeping_group() {
  static std::binary_semaphore has_threads{0}, never{0};
  std::thread([] {
    at::zeros({kEnoughForAllThreads}).fill_(1);
    has_threads.release();
    never.acquire(); // the group lives as long as the thread that began it
  }).detach();
  has_threads.acquire();
}

} // namespace

void keep_openmp_threads_from_spinning() {
  if (at::get_num_threads() < 2) return;
  static const bool once = (start_sleeping_group(), true);
  (void)once;
}

} // namespace vlreid
