// Inside of TrainingBatches: resized images in memory, as many as a number of bytes allows. The first ones
// that come stay (in random order any choice serves as well as another). All functions are thread safe.
#pragma once

#include "vlreid/image/image.h"

#include <atomic>
#include <cstddef>
#include <vector>

namespace vlreid {

class ImageCache {
public:
  // For `items` images of `image_bytes` each.
  ImageCache(std::size_t items, std::size_t image_bytes, std::size_t cache_bytes);
  ImageCache(const ImageCache&) = delete;
  ImageCache& operator=(const ImageCache&) = delete;
  ~ImageCache();

  // Null: not kept.
  const Image* find(std::size_t item) const { return images_[item].load(std::memory_order_acquire); }
  // Copies the image if there is room.
  void keep(std::size_t item, const Image& image);
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

private:
  std::vector<std::atomic<const Image*>> images_; // by item; owned
  std::size_t capacity_;                          // images
  std::atomic<std::size_t> size_ = 0;
};

// Memory that this process may still take, by the system and by the limits of its control group; 0 where that
// cannot be read.
std::size_t free_memory_bytes();

} // namespace vlreid
