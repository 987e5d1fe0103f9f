// Where the floats of a batch in the making lie: plain memory, or memory from elsewhere that a device can
// read (vlreid/tensor/transfer.h), which this folder knows nothing of.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

namespace vlreid {

// Memory for so many floats, as long as it is held; empty: plain memory.
using FloatMemory = std::function<std::shared_ptr<float[]>(std::size_t count)>;

class FloatBuffer {
public:
  FloatBuffer() = default;
  // The values are open.
  FloatBuffer(std::size_t count, const FloatMemory& memory)
      : values_(memory ? memory(count) : std::make_shared<float[]>(count)), size_(count) {}

  std::size_t size() const { return size_; }
  std::span<float> all() const { return {values_.get(), size_}; }

private:
  std::shared_ptr<float[]> values_;
  std::size_t size_ = 0;
};

} // namespace vlreid
