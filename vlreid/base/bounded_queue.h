// A queue of at most `capacity` items between threads: push waits while it is full, pop while it is empty.
// close() ends it: pushes are refused, pops drain what is left and then give nothing. Thread safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace vlreid {

template <typename Item>
class BoundedQueue {
public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // False when the queue was closed; the item is dropped then.
  bool push(Item item) {
    std::unique_lock lock(mutex_);
    has_room_.wait(lock, [&] { return items_.size() < capacity_ || is_closed_; });
    if (is_closed_) return false;
    items_.push_back(std::move(item));
    has_items_.notify_one();
    return true;
  }

  std::optional<Item> pop() {
    std::unique_lock lock(mutex_);
    has_items_.wait(lock, [&] { return !items_.empty() || is_closed_; });
    if (items_.empty()) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    has_room_.notify_one();
    return item;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    has_room_.notify_all();
    has_items_.notify_all();
  }

private:
  std::mutex mutex_;
  std::condition_variable has_room_, has_items_;
  std::deque<Item> items_;
  std::size_t capacity_;
  bool is_closed_ = false;
};

} // namespace vlreid
