#include "vlreid/batches/image_cache.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

namespace vlreid {
namespace {

// The first number of a file such as memory.max; none for "max" or no file.
std::size_t number_in(const char* path, std::size_t otherwise) {
  std::ifstream file(path);
  std::size_t value = 0;
  return file >> value ? value : otherwise;
}

// What a control group leaves of its limit.
std::size_t left_of_limit(const char* limit_path, const char* usage_path) {
  const std::size_t limit = number_in(limit_path, SIZE_MAX);
  return limit == SIZE_MAX ? SIZE_MAX : limit - std::min(limit, number_in(usage_path, 0));
}

std::size_t system_free_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::size_t kib = 0;
  while (file >> key >> kib) {
    if (key == "MemAvailable:") return kib * 1024;
    std::getline(file, unit);
  }
  return 0;
}

} // namespace

std::size_t free_memory_bytes() {
  return std::min({system_free_bytes(),
                   left_of_limit("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
                   left_of_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                 "/sys/fs/cgroup/memory/memory.usage_in_bytes")});
}

ImageCache::ImageCache(std::size_t items, std::size_t image_bytes, std::size_t cache_bytes)
    : images_(items), capacity_(cache_bytes / std::max<std::size_t>(image_bytes, 1)) {}

ImageCache::~ImageCache() {
  for (const auto& image : images_)
    delete image.load();
}

void ImageCache::keep(std::size_t item, const Image& image) {
  if (images_[item].load(std::memory_order_relaxed) != nullptr) return;
  if (size_.fetch_add(1) >= capacity_) {
    size_.fetch_sub(1);
    return;
  }
  auto copy = std::make_unique<const Image>(image);
  const Image* none = nullptr;
  if (images_[item].compare_exchange_strong(none, copy.get(), std::memory_order_acq_rel))
    copy.release();
  else // another thread was first
    size_.fetch_sub(1);
}

} // namespace vlreid
