#include "vlreid/base/stop.h"

#include <csignal>

namespace vlreid {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void on_signal(int signal) {
  received_signal = signal;
  std::signal(signal, SIG_DFL);
}

} // namespace

void install_stop_handlers() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

void throw_if_stopped() {
  if (received_signal != 0) throw Stopped(static_cast<int>(received_signal));
}

} // namespace vlreid
