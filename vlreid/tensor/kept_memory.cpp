#include "vlreid/tensor/kept_memory.h"

#include "vlreid/base/memory.h"

#include <algorithm>
#include <bit>
#include <c10/core/CPUAllocator.h>
#include <cstdint>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace vlreid {
namespace {

constexpr std::size_t kSmallestBlock = std::size_t{1} << 20;

// A tensor may lie in a block that is larger by its size divided by this.
constexpr std::size_t kSlackDivisor = 2;

constexpr std::uintptr_t kPage = 4096;

struct Block {
  void* memory;
  std::size_t bytes;
};

// Tensors whose sizes differ by less than an eighth share blocks.
std::size_t block_bytes(std::size_t bytes) {
  const std::size_t unit = std::bit_floor(bytes) / 8;
  return (bytes + unit - 1) / unit * unit;
}

class BlockStore {
public:
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Block block = kept(bytes);
    memory_.in_use += block.bytes;
    memory_.most_in_use = std::max(memory_.most_in_use, memory_.in_use);
    if (block.memory == nullptr) block.memory = fresh(bytes);
    sizes_.emplace(block.memory, block.bytes);
    return block.memory;
  }

  // Whether `memory` is a block.
  bool give_back(void* memory) {
    if (reinterpret_cast<std::uintptr_t>(memory) % kPage != 0) return false;
    const std::lock_guard lock(mutex_);
    const auto size = sizes_.find(memory);
    if (size == sizes_.end()) return false;
    const Block block{memory, size->second};
    sizes_.erase(size);
    free_.push_back(block);
    memory_.in_use -= block.bytes;
    memory_.kept += block.bytes;
    return true;
  }

  TensorMemory memory() const {
    const std::lock_guard lock(mutex_);
    return memory_;
  }

private:
  // The smallest that is large enough, and of those the last freed, which is the likeliest to be in a cache;
  // or none, of that size.
  Block kept(std::size_t bytes) {
    auto best = free_.end();
    for (auto block = free_.begin(); block != free_.end(); ++block)
      if (block->bytes >= bytes && block->bytes <= bytes + bytes / kSlackDivisor &&
          (best == free_.end() || block->bytes <= best->bytes))
        best = block;
    if (best == free_.end()) return {nullptr, bytes};
    const Block block = *best;
    free_.erase(best);
    memory_.kept -= block.bytes;
    return block;
  }

  void* fresh(std::size_t bytes) {
    release_until(static_cast<std::size_t>((1 + kMostKept) * static_cast<double>(memory_.most_in_use)));
    void* memory = map_memory(bytes);
    if (memory != nullptr) return memory;
    release_until(memory_.in_use);
    memory = map_memory(bytes);
    if (memory != nullptr) return memory;
    memory_.in_use -= bytes;
    throw std::bad_alloc();
  }

  // What is in use and kept is together no more than `bytes`, or nothing is kept.
  void release_until(std::size_t bytes) {
    auto last = free_.begin();
    for (; last != free_.end() && memory_.in_use + memory_.kept > bytes; ++last) {
      unmap_memory(last->memory, last->bytes);
      memory_.kept -= last->bytes;
    }
    free_.erase(free_.begin(), last);
  }

  mutable std::mutex mutex_;
  std::unordered_map<void*, std::size_t> sizes_; // of the blocks in use
  std::vector<Block> free_;                      // in the order in which they were freed
  TensorMemory memory_;
};

// Lives as long as the program: tensors may be freed at its very end.
BlockStore& store() {
  static auto& blocks = *new BlockStore;
  return blocks;
}

void free_tensor(void* memory) {
  if (!store().give_back(memory)) c10::GetDefaultCPUAllocator()->raw_deallocate(memory);
}

// A tensor's memory is its own context, which oneDNN needs.
class KeepingAllocator : public c10::Allocator {
public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* memory = bytes < kSmallestBlock ? c10::GetDefaultCPUAllocator()->raw_allocate(bytes)
                                          : store().take(block_bytes(bytes));
    return {memory, memory, free_tensor, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return free_tensor; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

} // namespace

void keep_tensor_memory() {
  static auto& allocator = *new KeepingAllocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
}

TensorMemory tensor_memory() {
  return store().memory();
}

} // namespace vlreid
