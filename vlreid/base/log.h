// Log lines in the form that the references write and tools parse:
//     2026-01-31 12:00:00,000 transreid.test INFO: mAP: 89.6%
// They go to stderr and, once opened, to a file. `transreid.*` names are for the references' own lines; ours
// are `vlreid`. Thread safe.
#pragma once

#include <filesystem>
#include <string_view>

namespace vlreid {

void log_info(std::string_view logger, std::string_view message);
void log_warning(std::string_view logger, std::string_view message);

// Also writes every line to this file, appending (train_log.txt, test_log.txt). Errors are thrown.
void open_log_file(const std::filesystem::path& path);
// No log lines on stderr from now on (the file, if any, still gets them).
void silence_log();

} // namespace vlreid
