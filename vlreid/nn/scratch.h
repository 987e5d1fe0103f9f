// Memory for what a forward pass needs between its steps, kept from one pass to the next: a batch allocates
// nothing.
#pragma once

#include "vlreid/products/products.h"

#include <memory>
#include <mutex>
#include <vector>

namespace vlreid {

// Floats; grows and is never cleared.
class Scratch {
public:
  float* room_for(std::int64_t count) {
    lines_.make_room((count + kFloatsPerLine - 1) / kFloatsPerLine);
    return data();
  }
  float* data() const { return reinterpret_cast<float*>(lines_.get()); }

private:
  static constexpr std::int64_t kFloatsPerLine = sizeof(Lines::Line) / sizeof(float);
  Lines lines_;
};

// Objects that calls in progress borrow. Thread safe.
template <typename T>
class ScratchStore {
public:
  class Loan {
  public:
    Loan(ScratchStore& store, std::unique_ptr<T> object) : store_(store), object_(std::move(object)) {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() {
      const std::lock_guard lock(store_.mutex_);
      store_.free_.push_back(std::move(object_));
    }
    T& operator*() const { return *object_; }
    T* operator->() const { return object_.get(); }

  private:
    ScratchStore& store_;
    std::unique_ptr<T> object_;
  };

  // A new one is made from the arguments.
  template <typename... Arguments>
  Loan borrow(Arguments... arguments) {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return {*this, std::make_unique<T>(arguments...)};
    std::unique_ptr<T> last = std::move(free_.back());
    free_.pop_back();
    return {*this, std::move(last)};
  }

private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
};

} // namespace vlreid
