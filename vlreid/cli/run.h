// Arguments -> exit code: parses the command line, runs the verb, and is the one place where errors become a
// line on stderr.
#pragma once

namespace vlreid {

int run_program(int argument_count, const char* const* arguments);

} // namespace vlreid
