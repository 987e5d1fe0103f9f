// Where a batch in the making lies: plain memory, or memory from elsewhere that a device can read
// (vlreid/tensor/transfer.h), which this folder knows nothing of.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

namespace vlreid {

// So many bytes, as long as they are held; empty: plain memory.
using HostMemory = std::function<std::shared_ptr<void>(std::size_t bytes)>;

template <typename T>
class HostBuffer {
public:
  HostBuffer() = default;
  // The values are open.
  HostBuffer(std::size_t count, const HostMemory& memory)
      : memory_(memory ? memory(count * sizeof(T)) : std::make_shared<T[]>(count)), size_(count) {}

  std::size_t size() const { return size_; }
  std::span<T> all() const { return {static_cast<T*>(memory_.get()), size_}; }

private:
  std::shared_ptr<void> memory_;
  std::size_t size_ = 0;
};

} // namespace vlreid
