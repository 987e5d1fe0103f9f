#include "vlreid/cli/run.h"

int main(int argument_count, char** arguments) {
  return vlreid::run_program(argument_count, arguments);
}
