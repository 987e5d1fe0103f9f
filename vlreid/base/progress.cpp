#include "vlreid/base/progress.h"

#include "vlreid/base/strings.h"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace vlreid {

Progress::Progress(std::string title, std::string unit, std::int64_t total, bool is_silent)
    : title_(std::move(title)), unit_(std::move(unit)), total_(total), is_silent_(is_silent),
      is_terminal_(::isatty(STDERR_FILENO) != 0), start_(Clock::now()), last_print_(start_) {}

Progress::~Progress() {
  const std::lock_guard lock(mutex_);
  if (is_terminal_ || has_printed_) print(true);
}

void Progress::add(std::int64_t count) {
  const std::lock_guard lock(mutex_);
  done_ += count;
  const auto interval = is_terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000);
  if (Clock::now() - last_print_ >= interval) print(false);
}

void Progress::add_resumed(std::int64_t count) {
  const std::lock_guard lock(mutex_);
  done_ += count;
  resumed_ += count;
}

std::string Progress::line() const {
  const std::lock_guard lock(mutex_);
  return line_unlocked();
}

std::string Progress::line_unlocked() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_ - resumed_) / seconds : 0;
  if (total_ < 0)
    return fmt::format("{}: {} {}, {:.1f} {}/s", title_, group_digits(done_), unit_, rate, unit_);
  const double left = rate > 0 ? static_cast<double>(total_ - done_) / rate : -1;
  const double percent =
      total_ > 0 ? 100.0 * static_cast<double>(done_) / static_cast<double>(total_) : 100.0;
  return fmt::format("{}: {:.0f}% {}/{} {}, {:.1f} {}/s, {} left", title_, percent, group_digits(done_),
                     group_digits(total_), unit_, rate, unit_,
                     done_ >= total_ ? "0:00" : format_duration(left));
}

void Progress::print(bool is_last) {
  last_print_ = Clock::now();
  if (is_silent_) return;
  has_printed_ = true;
  const std::string text = line_unlocked();
  if (is_terminal_)
    std::fprintf(stderr, "\r\033[K%s%s", text.c_str(), is_last ? "\n" : "");
  else
    std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

} // namespace vlreid
