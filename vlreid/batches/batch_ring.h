// Inside of the batch classes: a ring of slots that threads fill ahead of one consumer. The places of all
// batches are handed out in order, one at a time; the consumer gets the batches in order. What a place holds
// is up to the `fill` function; the ring knows sizes only.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace vlreid {

class BatchRing {
public:
  struct Place {
    std::size_t batch; // number of the batch
    std::size_t slot;  // where it is made: batch % slots
    std::size_t index; // within the batch
  };
  // Called from several threads, with the index of the thread. What it throws goes to the consumer.
  using Fill = std::function<void(const Place& place, int thread)>;

  // REQUIRES: threads, slots >= 1. What `fill` uses must outlive the ring.
  BatchRing(int threads, std::size_t slots, Fill fill);
  BatchRing(const BatchRing&) = delete;
  BatchRing& operator=(const BatchRing&) = delete;
  ~BatchRing();

  // Leaves what was under way, and calls `prepare` while no thread fills. Then batches `first` and up of
  // these sizes are made. REQUIRES: all sizes >= 1.
  void start(std::vector<std::size_t> sizes, std::size_t first, const std::function<void()>& prepare);

  // Waits for the next batch and gives its number; nothing after the last. The slot is the consumer's until
  // the next call. The first error of a thread is rethrown, now and ever after.
  std::optional<std::size_t> next();

  // How long next() has waited, in seconds.
  double wait_seconds() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace vlreid
