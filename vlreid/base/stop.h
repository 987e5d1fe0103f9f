// Ctrl-C and termination as an orderly end: a signal sets a flag, long loops ask for it between two pieces of
// work and unwind, so that temporary files are removed and what is resumable is complete. A second signal
// ends the process at once.
#pragma once

#include <exception>

namespace vlreid {

// Thrown by throw_if_stopped; not an Error, since nothing is wrong. Exit code 128 + signal (130, 143).
class Stopped : public std::exception {
public:
  explicit Stopped(int signal) : signal_(signal) {}
  int exit_code() const { return 128 + signal_; }
  const char* what() const noexcept override { return "stopped by a signal"; }

private:
  int signal_;
};

// For SIGINT and SIGTERM; once, from main.
void install_stop_handlers();

void throw_if_stopped();

} // namespace vlreid
