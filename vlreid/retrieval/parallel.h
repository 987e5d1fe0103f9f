// Loops over independent blocks on LibTorch's own threads: a matrix product inside a block then runs on the
// thread of that block, and no second set of threads competes with LibTorch's. Blocks are handed out in
// ascending order, first come first served.
#pragma once

#include <cstdint>
#include <functional>

namespace vlreid {

// How many workers a loop has; decided by LibTorch (at::set_num_threads).
int worker_count();

// Calls body(block, worker) for each block in [0, count); worker in [0, worker_count()) tells threads apart
// for scratch memory. The first exception of a worker is rethrown here.
void for_each_block(std::int64_t count, const std::function<void(std::int64_t block, int worker)>& body);

} // namespace vlreid
