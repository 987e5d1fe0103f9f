// Image files -> batches of pixels, bytes as the encoders read them, in list order. Threads read, decode and
// transform ahead of the consumer into a ring of reused buffers, so that neither waits for the other and
// memory does not grow with the list. What a batch holds does not depend on the number of threads. One
// consumer; no LibTorch here.
#pragma once

#include "vlreid/batches/host_memory.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vlreid {

struct Image;

struct UnreadableImage {
  std::size_t item;
  std::string message;
};

struct ImageBatch {
  std::vector<std::size_t> items; // which images of the list it holds, ascending; unreadable ones left out
  std::vector<UnreadableImage> unreadable;          // the others of its range
  std::vector<std::span<const std::uint8_t>> views; // one [B, H, W, 3] per view, B = items.size()
  std::size_t end_item = 0;                         // the range of the list ends here
};

struct ImageBatchesOptions {
  std::size_t batch_size = 32;
  int threads = 2;       // that decode
  std::size_t ahead = 3; // batches in flight
  std::size_t first = 0; // item to start with
  std::size_t views = 1;
  std::size_t pixels = 0; // bytes of one view of one image: 3 * H * W
  HostMemory memory = {};
};

class ImageBatches {
public:
  // Writes the given view of an image: out has options.pixels bytes. Called from several threads, with the
  // index of the thread.
  using Transform = std::function<void(const Image&, std::size_t item, std::size_t view, int thread,
                                       std::span<std::uint8_t> out)>;

  // REQUIRES: `paths` outlives this object.
  ImageBatches(std::span<const std::string> paths, Transform transform, const ImageBatchesOptions& options);
  ImageBatches(const ImageBatches&) = delete;
  ImageBatches& operator=(const ImageBatches&) = delete;
  ~ImageBatches();

  // The next batch, or nullptr after the last; valid until the next call. A batch of which nothing could be
  // read has B = 0. Errors other than unreadable images (data, missing, permission, io) are rethrown here.
  const ImageBatch* next();

  // How long next() has waited for decoding, in seconds.
  double wait_seconds() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace vlreid
