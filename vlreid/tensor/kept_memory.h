// Memory of large tensors that is kept when they are freed, for the next ones of about their size. A training
// step makes and frees the same tensors as the one before; pages fresh from the system, which clears them,
// cost a tenth of its time, and a heap of large blocks among small ones gets holes.
#pragma once

#include <cstddef>

namespace vlreid {

// From now on, tensors on the CPU of 1 MiB and more lie in blocks of their own, on huge pages where the
// system has them. What is in use and what is kept for later are together never more than kMostKept beyond
// the most that was in use at one time: blocks that were freed longest ago go back to the system. Tensors
// that exist stay where they are. Thread safe.
void keep_tensor_memory();

inline constexpr double kMostKept = 0.25; // of what was in use

// Bytes of such blocks; zero before keep_tensor_memory(). Thread safe.
struct TensorMemory {
  std::size_t in_use = 0, kept = 0;
  std::size_t most_in_use = 0;
};
TensorMemory tensor_memory();

} // namespace vlreid
