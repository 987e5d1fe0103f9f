#include "vlreid/cli/run.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace {

// At its end LibTorch takes thousands of operators apart that the system is about to forget anyway: a third
// of the time of a short run. Everything of ours is closed by then; sanitisers look for leaks at the usual
// end.
[[noreturn]] void leave(int code) {
  std::cout.flush();
  std::fflush(nullptr);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::exit(code);
#else
  std::_Exit(code);
#endif
}

} // namespace

int main(int argument_count, char** arguments) {
  leave(vlreid::run_program(argument_count, arguments));
}
