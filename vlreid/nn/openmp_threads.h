// Peace between LibTorch's OpenMP threads and those of shared_pool().
#pragma once

namespace vlreid {

// Threads of GNU OpenMP that have nothing to do look for work for a millisecond and more before they sleep,
// and meanwhile take the cores from the next loop on shared_pool(): a tenth of a training step on two cores.
// They look only briefly where OpenMP has more threads than the machine has cores. This makes it so once, with
// a second group of threads that sleeps for good. Cheap and thread safe; other OpenMP libraries do not mind.
void keep_openmp_threads_from_spinning();

} // namespace vlreid
