// A progress line on stderr: done, total, rate and time left. On a terminal it rewrites itself a few times a
// second; elsewhere it prints a line every ten seconds, so logs stay short. Thread safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace vlreid {

class Progress {
public:
  // `unit` is the plural of what is counted ("images"); total < 0 when unknown; silent ones print nothing.
  Progress(std::string title, std::string unit, std::int64_t total, bool is_silent = false);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // Leaves a last, complete line.
  ~Progress();

  void add(std::int64_t count);
  // Items finished by an earlier run: counted as done, not in the rate.
  void add_resumed(std::int64_t count);
  std::string line() const;

private:
  using Clock = std::chrono::steady_clock;
  void print(bool is_last);
  std::string line_unlocked() const;

  mutable std::mutex mutex_;
  std::string title_, unit_;
  std::int64_t total_, done_ = 0, resumed_ = 0;
  bool is_silent_, is_terminal_, has_printed_ = false;
  Clock::time_point start_, last_print_;
};

} // namespace vlreid
