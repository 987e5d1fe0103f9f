// A CUDA device made of CPU memory, for a build of LibTorch without CUDA: `cuda` tensors, streams, events,
// pinned memory and graphs, whose operators are those of the CPU. So the code for a GPU runs where there is
// none, with numbers that can be compared, and what a GPU would have to wait for is seen:
//
//   - an operator that tells the host a number or a shape that depends on numbers (item, nonzero, ...)
//   - a copy between host and device that is not asynchronous, or not of pinned memory
//   - a wait for a stream or an event
//
// Copies on streams of their own are done as late as their events allow, so a missing wait gives wrong
// numbers. Graphs note operators with their memory and repeat them. What it does not show: reuse of memory by
// the caching allocator, and speed. One thread, and the autograd engine's.
#pragma once

#include <string>
#include <vector>

namespace vlreid::fake_cuda {

// What has made the host wait since forget_waits(), by name: "aten::_local_scalar_dense", "copy to the host",
// "event", ...
std::vector<std::string> waits();
void forget_waits();

// How many graphs were captured, and replayed, since the program began.
struct GraphCounts {
  int captured = 0, replayed = 0;
};
GraphCounts graphs();

} // namespace vlreid::fake_cuda
