// OpenMP's threads (libgomp, which LibTorch brings along) spin for milliseconds at the end of every loop
// before they sleep. Alone on a machine that costs nothing; where another program wants a core too, the
// spinning thread takes the time of the one that it waits for, and everything becomes several times slower.
// libgomp reads the limit while it is loaded, so the program starts itself once more with it, before any
// constructor of a library has run. A setting of the user's is kept.
#include <climits>
#include <cstring>
#include <sys/auxv.h>
#include <unistd.h>

namespace {

// About a tenth of a millisecond: shorter ones cost matrix products up to a fifth of their speed on an idle
// machine.
char spin_count[] = "GOMP_SPINCOUNT=5000";
constexpr int kMostVariables = 8192;

bool sets(const char* variable, const char* name) {
  const std::size_t length = std::strlen(name);
  return std::strncmp(variable, name, length) == 0 && variable[length] == '=';
}

void restart_with_short_spins(int, char** arguments, char** environment) {
  static char* variables[kMostVariables + 2];
  if (getauxval(AT_BASE) == 0) return; // started by way of ld.so, which then is /proc/self/exe
  int count = 0;
  for (; environment[count] != nullptr; ++count) {
    const char* variable = environment[count];
    if (sets(variable, "GOMP_SPINCOUNT") || sets(variable, "OMP_WAIT_POLICY")) return;
    if (count == kMostVariables) return;
    variables[count] = environment[count];
  }
  variables[count] = spin_count;
  // The real path rather than /proc/self/exe: it gives the process its name.
  char program[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  if (length <= 0) return;
  program[length] = '\0';
  execve(program, arguments, variables); // returns only when it failed; then the default stays
}

[[gnu::section(".preinit_array"),
  gnu::used]] void (*const before_all_libraries)(int, char**, char**) = restart_with_short_spins;

} // namespace
