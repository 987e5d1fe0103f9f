// Loops over independent blocks on the threads of the process's pool, one block at a time each. Blocks are
// handed out in ascending order, first come first served. Not to be nested: the pool runs one loop at a time.
#pragma once

#include <cstdint>
#include <functional>

namespace vlreid {

// How many workers a loop has: the cores that this process may use.
int worker_count();

// Calls body(block, worker) for each block in [0, count); worker in [0, worker_count()) tells threads apart
// for scratch memory. The first exception of a worker is rethrown here.
void for_each_block(std::int64_t count, const std::function<void(std::int64_t block, int worker)>& body);

} // namespace vlreid
